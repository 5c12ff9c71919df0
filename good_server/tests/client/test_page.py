"""Tests of the example page in Chromium.

The page and the server have different ports, so the page is of another origin."""

import os
import shutil
import subprocess

import pytest
import pytest_asyncio
from aiohttp import web

from ...client.example.__main__ import create_page
from ...settings import DEVELOPMENT_SECRET, Settings
from ..npm import NPM_SECONDS
from ..package import FOLDER
from ..ports import lasting_port
from ..programs import installed
from ..waiting import PROCESS_SECONDS
from .browser import browser_page

SIZES = {"wide": {"width": 1280, "height": 900}, "narrow": {"width": 420, "height": 900}}
# `engines` in client/package.json says the same
OLDEST_NODE = (20, 19)
# what a page's console says while a server is away
SERVER_AWAY = ("WebSocket connection to", "net::ERR_CONNECTION_REFUSED")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3 * NPM_SECONDS)]


def check_node():
    """Skip the test if Node is too old for Vite. In CI the test fails."""
    done = subprocess.run([installed("node"), "--version"], capture_output=True, text=True, timeout=PROCESS_SECONDS)
    if tuple(int(part) for part in done.stdout.strip("v\n").split(".")[:2]) < OLDEST_NODE:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"Node {done.stdout.strip()} is too old for Vite")


@pytest.fixture(scope="session")
def built_page(tmp_path_factory):
    """The example page, built by Vite in a copy of its folder."""
    check_node()
    folder = tmp_path_factory.mktemp("page") / "client"
    shutil.copytree(FOLDER / "client", folder, ignore=shutil.ignore_patterns("__pycache__", "node_modules", "dist"))
    npm = [installed("npm"), "--no-audit", "--no-fund", "--prefix", str(folder)]
    for command in (["ci", "--ignore-scripts"], ["run", "build"]):
        done = subprocess.run([*npm, *command], cwd=folder, capture_output=True, text=True, timeout=NPM_SECONDS)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "example" / "dist"


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(built_page, stack):
    """`await open_page(server)` opens the page with both users online."""

    async def start(server, **options):
        runner = web.AppRunner(create_page(Settings(), server.url, built_page))
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0]
        page = await stack.enter_async_context(browser_page(**options))
        return await page.open(f"http://{host}:{port}/")

    return start


def connects(server):
    return server.application.guards.metrics.connects.labels("accepted")._value.get()


async def test_a_message_reaches_each_tab_of_both_users_once(server, open_page):
    page = await open_page(server)
    boxes = [page.box("ana"), page.box("ben"), await page.open_tab("ana", 1), await page.open_tab("ben", 1)]
    await page.box("ana").write("hello from ana")
    for box in boxes:
        await box.shows("hello from ana")
    await boxes[3].write("<b>hello</b> from ben")
    for box in boxes:
        await box.shows("<b>hello</b> from ben")
    assert page.errors == []


async def test_the_drivers_position_is_drawn_on_the_companys_map(server, open_page):
    page = await open_page(server)
    ana, ben = page.box("ana"), page.box("ben")
    assert await ben.driver_pixels() == 0
    await ana.find(".drive").click()
    await ben.find(".place").filter(has_text="ana:").wait_for()
    assert await ben.driver_pixels() > 30
    await ana.find(".drive").click()
    await ana.find("canvas").focus()
    for _ in range(2):
        await page.page.keyboard.press("ArrowDown")
    place = await ana.find(".place").inner_text()
    await ben.find(".place").filter(has_text=place).wait_for()
    assert page.errors == []


async def test_every_tab_returns_after_the_server_has_restarted(serve, open_page):
    port = lasting_port()
    server = await serve(port=port)
    page = await open_page(server)
    ana, ben = page.box("ana"), page.box("ben")
    await server.ended()
    for box in (ana, ben):
        await box.is_in_state("waiting")
    await ana.write("written meanwhile")
    await ana.find("small").filter(has_text="waits for the connection").wait_for()
    await serve(port=port)
    for box in (ana, ben):
        await box.is_in_state("online")
    await ana.find("small").filter(has_text="sent at").wait_for()
    await ana.write("written afterwards")
    await ben.shows("written afterwards")
    assert [error for error in page.errors if not error.startswith(SERVER_AWAY)] == []


async def test_a_cut_tab_returns_and_sends_what_waited(server, open_page):
    page = await open_page(server)
    ana, ben = page.box("ana"), page.box("ben")
    await ana.find(".cut").click()
    await ana.is_in_state("paused")
    await ana.write("written while cut")
    await ana.find(".cut").click()
    await ben.shows("written while cut")
    await ana.find("small").filter(has_text="sent at").wait_for()
    assert page.errors == []


async def test_a_token_is_refreshed_before_it_expires(server, open_page):
    page = await open_page(server)
    await page.page.select_option("#life", "12")
    for user in ("ana", "ben"):
        await page.box(user).find('.token[data-tokens="2"]').wait_for()
        await page.box(user).is_in_state("online")
    before = connects(server)
    # two refreshes, so the first of the short tokens has expired
    for user in ("ana", "ben"):
        await page.box(user).find('.token[data-tokens="4"]').wait_for()
        await page.box(user).is_in_state("online")
    await page.box("ana").write("still here")
    await page.box("ben").shows("still here")
    assert (connects(server), page.errors) == (before, [])


async def test_a_tab_too_many_closes_the_oldest_which_says_so(serve, open_page):
    server = await serve(sockets_per_user=2)
    page = await open_page(server)
    await page.open_tab("ben", 1)
    await page.open_tab("ben", 2)
    await page.box("ben").is_in_state("stopped")
    assert await page.box("ben").find(".state-text").inner_text() == "closed: too many tabs"
    await page.box("ben").find(".close").click()
    assert await page.page.locator('[data-user="ben"] .tab').count() == 2
    assert page.errors == []


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
async def test_nothing_is_wider_than_the_window(server, open_page, size, colours):
    page = await open_page(server, viewport=SIZES[size], color_scheme=colours)
    await page.box("ana").write("a-long-word-" * 30)
    await page.box("ben").find(".log li").wait_for()
    assert await page.page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    background = await page.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    is_dark = sum(int(part) for part in background.removeprefix("rgb(").removesuffix(")").split(",")) < 3 * 128
    assert is_dark == (colours == "dark")


def test_the_built_page_has_no_secret(built_page):
    files = [path for path in built_page.rglob("*") if path.is_file()]
    assert len(files) > 2
    assert [path.name for path in files if DEVELOPMENT_SECRET.encode() in path.read_bytes()] == []
