"""Drive the example page in a headless Chromium, with Playwright."""

import importlib
import os
import shutil
from contextlib import asynccontextmanager

import pytest

WAIT_MS = 30_000
# how many pixels of a map have the colour of the driver, who is drawn in no other place
COUNT_DRIVER_PIXELS = """canvas => {
  canvas.style.color = "var(--driver)";
  const [red, green, blue] = getComputedStyle(canvas).color.match(/\\d+/g).map(Number);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) {
    if (data[at] === red && data[at + 1] === green && data[at + 2] === blue) count += 1;
  }
  return count;
}"""


def find_chromium():
    """Return the path of Chromium. Without it the test is skipped, and in CI it fails."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("Chromium is not installed")
    return found


def load_playwright():
    """Return the module that drives browsers. Without it the test is skipped, and in CI it fails."""
    if os.environ.get("CI"):
        return importlib.import_module("playwright.async_api")
    return pytest.importorskip("playwright.async_api", reason="Playwright is not installed")


class Box:
    """One tab of a user on the example page."""

    def __init__(self, locator):
        self.locator = locator

    def find(self, selector):
        return self.locator.locator(selector)

    async def is_in_state(self, state):
        """Wait until the tab shows this state of its connection."""
        await self.locator.and_(self.locator.page.locator(f'[data-state="{state}"]')).wait_for()

    async def write(self, text):
        """Write a message with the keyboard, and send it."""
        await self.find(".write input").focus()
        await self.locator.page.keyboard.type(text)
        await self.locator.page.keyboard.press("Enter")

    async def shows(self, text):
        """Wait until the chat of this tab shows a message once."""
        message = self.find(".log li").filter(has_text=text)
        await message.first.wait_for()
        assert await message.count() == 1

    async def driver_pixels(self):
        return await self.find("canvas").evaluate(COUNT_DRIVER_PIXELS)

    async def tokens(self):
        """Return how many tokens this tab has asked for."""
        return int(await self.find(".token").get_attribute("data-tokens"))

    async def token_text(self):
        return await self.find(".token").inner_text()


class ExamplePage:
    """The example page, driven as a visitor would."""

    def __init__(self, page):
        self.page, self.errors = page, []
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)

    def box(self, user, number=0):
        """Return a tab of a user."""
        return Box(self.page.locator(f'[data-user="{user}"] .tab').nth(number))

    async def open(self, url):
        """Load the page, and wait until both users are online."""
        await self.page.goto(url)
        for user in ("ana", "ben"):
            await self.box(user).is_in_state("online")
        return self

    async def open_tab(self, user, number):
        await self.page.click(f'[data-user="{user}"] .open')
        await self.box(user, number).is_in_state("online")
        return self.box(user, number)


@asynccontextmanager
async def browser_page(**options):
    """Open an empty page. `options` are those of a context of Playwright, such as `color_scheme`."""
    playwright = load_playwright()
    async with playwright.async_playwright() as started:
        browser = await started.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        try:
            context = await browser.new_context(**options)
            yield ExamplePage(await context.new_page())
        finally:
            await browser.close()
