"""Tests of how the live page shows a session."""

import re

import pytest
from lab.clients.chat_ring import poll_until

from good_server.settings import Settings

from .page_driver import SIDES, agree, browser_page, playing, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


async def test_pause_holds_the_picture_not_the_session():
    async with playing(3) as (page, session):
        await page.page.click("#pause")
        await page.page.click('[data-action="send"]')

        async def is_delivered():
            return session.state()["sides"]["good"]["counters"]["delivered"] == 1

        assert await poll_until(is_delivered, timeout=20)
        assert (await page.counters("good"))["delivered"] == 0
        assert "Paused" in await page.page.inner_text("#queue")
        await page.page.click("#pause")
        await agree(page, session)


async def seconds_to_land(page):
    """Return the time from a sent message to its end."""
    sent = 'drawn.shown.findLast(({ side, kind }) => side === "good" && kind === "sent")'
    return await page.page.evaluate(f'(drawn.landed.findLast(({{ side }}) => side === "good").at - {sent}.at) / 1000')


async def test_slow_motion_takes_longer():
    async with playing(3) as (page, session):
        await page.act("send")
        usual = await seconds_to_land(page)
        await page.page.click("#slow")
        await page.act("send")
        assert await seconds_to_land(page) > 2 * usual
        await agree(page, session)


async def test_guess_first_compares_with_what_arrived():
    async with playing(3) as (page, session):
        await page.page.click("#guess")
        await page.page.click('[data-action="send"]')
        assert "How many will?" in await page.page.inner_text("#guess-question")
        await page.page.check('.guess.bad input[value="0"]')
        await page.page.check('.guess.good input[value="1"]')
        assert session.state()["sides"]["bad"]["counters"]["delivered"] == 0
        await page.page.click('#guess-dialog [value="send"]')
        await page.page.wait_for_selector(".judged")
        judged = await page.page.inner_text(".judged")
        assert re.search(r"said 0, 1 arrived ✗.*said 1, 1 arrived ✓.*1 of 2 right", judged)


async def test_guess_first_also_asks_about_a_position():
    async with playing(6) as (page, session):
        await page.page.click("#guess")
        await page.page.click('[data-action="drive"]')
        assert "How many clients will" in await page.page.inner_text("#guess-question")
        for side in SIDES:
            await page.page.check(f'.guess.{side} input[value="2"]')
        await page.page.click('#guess-dialog [value="send"]')
        judged = await page.page.inner_text(".judged")
        assert re.search(r"Bad server: you said 2, 6 arrived ✗.*good server: you said 2, 2 arrived ✓", judged)
        await agree(page, session)


async def test_the_heartbeat_clock_runs_in_a_tunnel():
    async with playing(3) as (page, _):
        clock = page.page.locator(".side.good .heartbeat")
        defaults = Settings.model_fields
        real = [defaults[name].default for name in ("ping_interval_seconds", "ping_timeout_seconds")]
        assert "defaults: {:g} s + {:g} s".format(*real) in await clock.inner_text()
        await page.select("ben/1")
        await page.act("tunnel")
        await page.page.wait_for_selector(".side.good .heartbeat.runs")
        assert "in a tunnel" in await page.tab("good", "ben/1")
        # the server drops the connection by itself, and then the clock rests
        await page.page.wait_for_selector(".side.good .heartbeat:not(.runs)")


async def test_two_pages_show_the_same():
    async with serving(3) as (url, session), browser_page() as first, browser_page() as second:
        await first.open(url)
        await second.open(url)
        await first.act("send")
        await agree(first, session)
        await agree(second, session)
        assert "Ben's tab 1" in await second.page.inner_text("#happened")


async def test_a_late_page_shows_what_was_before():
    async with serving(3) as (url, session), browser_page() as page:
        await session.do({"action": "send", "tab": "ana/1", "to": "user:ben"})
        await page.open(url)
        assert (await page.counters("good"))["delivered"] == 1
        assert "Ana's tab 1" in await page.page.inner_text("#happened")


async def test_nothing_moves_without_the_stream():
    async with serving(3) as (url, session), browser_page() as page:
        # the command reaches the servers, but the page hears nothing of it
        await page.page.route(
            "**/events*", lambda route: route.fulfill(body=": nothing\n\n", content_type="text/event-stream")
        )
        await page.page.add_init_script(
            "window.arcs = 0; const arc = CanvasRenderingContext2D.prototype.arc;"
            "CanvasRenderingContext2D.prototype.arc = function (...all) { arcs += 1; return arc.apply(this, all); };"
        )
        await page.open(url)
        await page.act("send")
        assert session.state()["sides"]["good"]["counters"]["delivered"] == 1
        assert await page.page.evaluate("arcs") == 0
