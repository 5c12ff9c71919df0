"""Tests of how a live page and its session end."""

import asyncio

import pytest
from lab.live.arrangement import arrangement
from lab.live.serve import Address, serve_until_closed

from .page_driver import agree, browser_page, playing, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
END_SECONDS = 60.0


@pytest.mark.parametrize("how", ["page", "browser"])
async def test_a_closed_page_ends_the_session(how):
    address, told = Address.reserve(), []
    url = address.url
    serving_it = serve_until_closed(arrangement(3), address, is_browser_wanted=False, say=told.append)
    session = asyncio.create_task(serving_it)
    async with browser_page() as page:
        await page.open(url)
        if how == "page":
            await page.page.close()
            await asyncio.wait_for(session, END_SECONDS)
    await asyncio.wait_for(session, END_SECONDS)
    assert told == [f"open {url}", "the page was closed; every server is stopped"]


async def test_a_crashed_server_is_shown_as_down_and_restarted():
    async with playing(3) as (page, session):
        # not by a button: the page learns it from the probe
        await session.sides["bad"].target.server.kill()
        await page.page.wait_for_selector(".side.bad .power:not([hidden])")
        assert await page.page.locator(".side.good .power:not([hidden])").count() == 0
        await page.page.wait_for_selector('[data-action="restart"]:not([disabled])')
        await page.act("restart")
        await page.page.wait_for_selector('.side.bad [data-tab="ben/1"].connected')
        await page.act("send")
        await agree(page, session)


async def test_page_says_that_the_session_has_ended():
    async with browser_page() as page:
        async with serving(3) as (url, _):
            await page.open(url)
        await page.page.wait_for_selector("#ended:not([hidden])")
        assert await page.page.is_disabled('[data-action="cut"]')
