"""Takes screenshots of `lab live`'s page, for the README.

A script presses buttons of the page in Chromium, with real servers behind it. Each screenshot shows one moment, once in
light and once in dark colours.
"""

import importlib
import importlib.util
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.live.arrangement import arrangement
from lab.live.serve import Address, live_page
from lab.system.atomic_file import why_not_writable, write
from lab.system.exit_codes import UsageError

SCHEMES = ("light", "dark")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# a README is shown narrower, so the picture is sharp on fine displays too
WIDTH_PIXELS, HEIGHT_PIXELS = 1280, 1000
# below the two columns comes only the legend
MARGIN_PIXELS = 8
WAIT_MILLISECONDS = 60_000
# an action is done when its words have changed
IS_TOLD = "before => (document.querySelector('#happened').dataset.saidCount ?? '0') !== before"
# looked at on each frame, so that the picture stops at exactly this moment
STOP = "() => { if (!(%s)) return false; document.querySelector('#pause').click(); return true; }"
LANDED = "document.querySelector('.side.%s .caption').textContent.endsWith('%s')"


@dataclass(frozen=True)
class Still:
    """One screenshot: the actions before it, and the moment that it shows.

    `steps` are pairs of a tab, such as `ben/1`, and an action, such as `cut`. The last action runs in slow motion. The
    screenshot is taken as soon as `moment`, an expression in JavaScript, becomes true. `number` is the number of the
    mistake that the live page shows.
    """

    number: int
    steps: tuple[tuple[str, str], ...]
    moment: str

    def path(self, folder: Path, scheme: str) -> Path:
        """Return the path of the screenshot; `scheme` is `light` or `dark`."""
        return folder / f"live-{self.number:02}-{scheme}.png"


AWAY_AND_BACK = (("ben/1", "cut"), ("ben/1", "back"))
SEND = ("ana/1", "send")
ARRIVED = LANDED % ("good", "arrives at Ben\\'s tab 1.")
WASTED = "document.querySelector('.side.bad [data-counter=wasted] dd').textContent"
STILLS = (
    Still(3, (SEND, *AWAY_AND_BACK, SEND), f"document.querySelector('.side.bad .missed') && {ARRIVED}"),
    Still(1, (*3 * AWAY_AND_BACK, SEND), f"{WASTED} === '3' && {ARRIVED}"),
)


async def take_stills(folder: Path, say: Callable[[str], None]) -> None:
    """Write all screenshots of `lab live`'s page into a folder.

    It calls `say` with one line for each screenshot. Raises `UsageError` when the folder cannot be used, or when
    there is no browser.
    """
    paths = [still.path(folder, scheme) for still in STILLS for scheme in SCHEMES]
    problem = next(filter(None, map(why_not_writable, paths)), None)
    if problem is not None:
        raise UsageError(problem)
    async with _browser() as browser:
        for still in STILLS:
            for scheme in SCHEMES:
                picture = await _take(browser, still, scheme)
                write(still.path(folder, scheme), picture)
                say(f"{still.path(folder, scheme)}: {len(picture):,} bytes")


async def _take(browser: Any, still: Still, scheme: str) -> bytes:
    """Do the steps of `still` on a new live page.

    Returns the screenshot as a PNG image. `scheme` is `light` or `dark`.
    """
    address = Address.reserve()
    size = {"width": WIDTH_PIXELS, "height": HEIGHT_PIXELS}
    async with live_page(arrangement(still.number), address):
        context = await browser.new_context(color_scheme=scheme, viewport=size)
        try:
            page = await context.new_page()
            page.set_default_timeout(WAIT_MILLISECONDS)
            await page.goto(address.url)
            await page.wait_for_selector("body[data-ready]")
            return await _play(page, still)
        finally:
            await context.close()


async def _play(page: Any, still: Still) -> bytes:
    *before, (last_tab, last_action) = still.steps
    for tab, action in before:
        count = await page.get_attribute("#happened", "data-said-count") or "0"
        await _press(page, tab, action)
        await page.wait_for_function(IS_TOLD, arg=count)
    await page.click("#slow")
    await _press(page, last_tab, last_action)
    await page.wait_for_function(STOP % still.moment, polling="raf")
    await page.click("#slow")
    # a button under the pointer has another colour
    await page.mouse.move(0, 0)
    sides = await page.locator("#sides").bounding_box()
    clip = {"x": 0, "y": 0, "width": WIDTH_PIXELS, "height": sides["y"] + sides["height"] + MARGIN_PIXELS}
    picture: bytes = await page.screenshot(clip=clip)
    return picture


async def _press(page: Any, tab: str, action: str) -> None:
    await page.click(f'.side.bad [data-tab="{tab}"]')
    await page.click(f'[data-action="{action}"]')


@asynccontextmanager
async def _browser() -> AsyncIterator[Any]:
    """Run a headless Chromium during the `async with` block.

    Raises `UsageError` when Chromium or Playwright is not installed.
    """
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None or importlib.util.find_spec("playwright") is None:
        raise UsageError("pictures need Chromium, and Playwright to drive it: pip install playwright")
    # not a dependency of the lab: only its developers take pictures
    playwright: Any = importlib.import_module("playwright.async_api")
    async with playwright.async_playwright() as started:
        browser = await started.chromium.launch(executable_path=path, args=["--no-sandbox"], handle_sigint=False)
        try:
            yield browser
        finally:
            await browser.close()
