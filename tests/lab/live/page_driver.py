"""Drives the live page in a headless Chromium, with Playwright."""

import importlib
import os
import re
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from lab.clients.chat_ring import poll_until
from lab.live.arrangement import arrangement
from lab.live.serve import Address, live_page
from lab.live.session import Session

from .evidence import FATES, assert_nothing_is_invented

WAIT_MS = 60_000
SIDES = ("bad", "good")
# notes what the page draws, and when
WATCH = """
window.drawn = { shown: [], landed: [] };
for (const name of ["shown", "landed"]) {
  document.addEventListener(name, ({ detail: { side, kind, to, id } }) =>
    drawn[name].push({ side, kind, to, id, at: performance.now() }));
}
"""
COUNTERS = ("delivered", "lost", "wasted", "kept")


def find_chromium() -> str:
    """Return the path of Chromium.

    Without it the test is skipped, but fails in CI.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and not os.environ.get("CI"):
        pytest.skip("needs Chromium")
    assert found is not None, "CI needs Chromium"
    return found


def load_playwright() -> Any:
    """Return the module that drives browsers.

    Without it the test is skipped, but fails in CI.
    """
    if os.environ.get("CI"):
        return importlib.import_module("playwright.async_api")
    return pytest.importorskip("playwright.async_api", reason="needs Playwright")


class Page:
    """One view of the live page, driven like a reader's."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.errors: list[str] = []
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)

    async def open(self, url: str) -> "Page":
        """Load the page, and wait until it has drawn the session."""
        await self.page.goto(url)
        await self.page.wait_for_selector("body[data-ready]")
        return self

    async def select(self, tab: str) -> None:
        """Select a tab on the bad server's side; both sides follow."""
        await self.page.click(f'.side.bad [data-tab="{tab}"]')

    async def act(self, action: str) -> str:
        """Press an action's button, and return what then happened."""
        told = self.page.locator("#happened")
        before = await told.get_attribute("data-said-count") or "0"
        await self.page.click(f'[data-action="{action}"]')
        await self.page.wait_for_function(
            "before => (document.querySelector('#happened').dataset.saidCount ?? '0') !== before", arg=before
        )
        return str(await told.inner_text())

    async def counters(self, side: str) -> dict[str, int]:
        """Return the numbers that a side shows."""
        shown = [f'.side.{side} [data-counter="{name}"] dd' for name in COUNTERS]
        return {name: int(await self.page.inner_text(place)) for name, place in zip(COUNTERS, shown, strict=True)}

    async def tab(self, side: str, name: str) -> str:
        """Return the text of a tab's box on one side."""
        return str(await self.page.text_content(f'.side.{side} [data-tab="{name}"]'))

    async def fates(self) -> Counter[tuple[Any, ...]]:
        """Return how each particle has ended so far."""
        landed = await self.page.evaluate("drawn.landed")
        return Counter((fate["side"], fate["kind"], fate["to"], fate["id"]) for fate in landed)

    async def memory(self, side: str) -> str:
        """Return what a side says that its server remembers, as one line."""
        return re.sub(r"\s+", " ", await self.page.inner_text(f".side.{side} .memory"))


@asynccontextmanager
async def browser_page(**options: Any) -> AsyncIterator[Page]:
    """Open an empty page in a browser of its own.

    `options` are those of a Playwright context, such as `color_scheme` or `viewport`.
    """
    playwright = load_playwright()
    async with playwright.async_playwright() as started:
        browser = await started.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        try:
            context = await browser.new_context(**options)
            await context.add_init_script(WATCH)
            yield Page(await context.new_page())
        finally:
            await browser.close()


@asynccontextmanager
async def serving(number: int) -> AsyncIterator[tuple[str, Session]]:
    """Yield the address of a mistake's arrangement, and its session."""
    address = Address.reserve()
    async with live_page(arrangement(number), address) as session:
        yield address.url, session


@asynccontextmanager
async def playing(number: int, **options: Any) -> AsyncIterator[tuple[Page, Session]]:
    """Yield the open page of a mistake's arrangement, and its session."""
    async with serving(number) as (url, session), browser_page(**options) as page:
        await page.open(url)
        yield page, session
        assert page.errors == []


async def agree(page: Page, session: Session) -> None:
    """Wait until the page shows what the session has counted.

    Each particle of a page that was open from the beginning has ended as its message did, and the session has counted
    what the clients received.
    """
    for side in SIDES:

        async def is_drawn(side: str = side) -> bool:
            return await page.counters(side) == session.state()["sides"][side]["counters"]

        assert await poll_until(is_drawn, timeout=WAIT_MS / 1000)
    fates = Counter(
        (event.side, event.kind, event.to, event.id) for event in session.stream.events if event.kind in FATES
    )
    assert await page.fates() == fates
    assert_nothing_is_invented(session)
