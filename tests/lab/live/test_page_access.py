"""Tests that everyone can use the live page, in a real Chromium."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from lab.live import reports

from .page_driver import agree, playing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
AXE = "axe-core@4.14.1"
NPM_SECONDS = 180
# what each of these has done shows parts of the page that the beginning does not
PLAYED = {
    1: ("cut", "back", "send"),
    2: ("report", "cut"),
    3: ("tunnel", "kill"),
    4: ("close",),
    5: ("close",),
    6: ("drive", "round"),
    7: ("open",),
    8: ("join", "forge"),
    9: ("compute",),
    10: ("flood", "rooms"),
}


@pytest.fixture(scope="session")
def axe(tmp_path_factory):
    """Return the source of axe-core, which finds faults of accessibility.

    Without npm the test is skipped; in CI it fails.
    """
    npm = shutil.which("npm")
    if npm is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("npm is not installed")
    folder = tmp_path_factory.mktemp("axe")
    install = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), AXE]
    subprocess.run(install, check=True, capture_output=True, timeout=NPM_SECONDS)
    return Path(folder, "node_modules", "axe-core", "axe.min.js").read_text("utf-8")


async def faults(page, axe):
    """Return what axe finds on the page, as rules with the elements."""
    await page.page.evaluate(axe)
    found = await page.page.evaluate("axe.run().then(({ violations }) => violations)")
    return {fault["id"]: [node["html"] for node in fault["nodes"]] for fault in found}


@pytest.mark.parametrize("number", sorted(PLAYED))
async def test_axe_finds_no_fault(number, axe, monkeypatch):
    monkeypatch.setattr(reports, "COMPUTE_MILLISECONDS", 100)
    async with playing(number, color_scheme="light") as (page, _):
        for action in PLAYED[number]:
            await page.act(action)
        assert await faults(page, axe) == {}
        await page.page.click("#theme")
        await page.page.click("#theme")
        assert await faults(page, axe) == {}


async def test_axe_finds_no_fault_on_a_narrow_page_and_in_a_guess(axe):
    async with playing(3, viewport={"width": 420, "height": 900}) as (page, _):
        assert await faults(page, axe) == {}
        await page.page.click("#guess")
        await page.page.click('[data-action="send"]')
        await page.page.wait_for_selector("#guess-dialog[open]")
        assert await faults(page, axe) == {}
        await page.page.evaluate("document.querySelector('#guess-dialog button').textContent = ''")
        assert "button-name" in await faults(page, axe)


async def test_reduced_motion_moves_nothing():
    async with playing(3, reduced_motion="reduce") as (page, session):
        await page.act("send")
        await agree(page, session)
        assert await page.page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
async def test_theme_follows_the_system_and_the_switch(scheme, is_dark):
    async with playing(3, color_scheme=scheme) as (page, _):
        brightness = "Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])"
        assert (await page.page.evaluate(brightness) < 100) is is_dark
        presses = 1 if is_dark else 2
        for _ in range(presses):
            await page.page.click("#theme")
        assert (await page.page.evaluate(brightness) < 100) is not is_dark


@pytest.mark.parametrize("width", [420, 1280])
async def test_page_fits_its_window(width):
    async with playing(4, viewport={"width": width, "height": 900}) as (page, _):
        assert await page.page.evaluate("document.documentElement.scrollWidth") <= width


async def test_keyboard_alone_is_enough():
    async with playing(3) as (page, _):
        await page.page.focus('.side.bad [data-tab="ben/1"]')
        await page.page.keyboard.press("Enter")
        assert await page.page.inner_text("#chosen") == "Ben's tab 1"
        await page.page.keyboard.press("c")
        await page.page.wait_for_selector('.side.good [data-tab="ben/1"].cut')
        await page.page.keyboard.press("b")
        await page.page.wait_for_selector('.side.good [data-tab="ben/1"].connected')
