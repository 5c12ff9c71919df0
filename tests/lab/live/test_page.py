"""Tests of the live page in a real Chromium, with real servers."""

import re
from contextlib import asynccontextmanager

import pytest
from lab.clients.chat_ring import poll_until
from lab.live.arrangement import arrangement
from lab.live.serve import Address, live_page

from good_server import events

from .page_driver import browser_page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
SIDES = ("bad", "good")


@asynccontextmanager
async def serving(number):
    """Yield the address of a mistake's arrangement, and its session."""
    address = Address.reserve()
    async with live_page(arrangement(number), address) as session:
        yield address.url, session


@asynccontextmanager
async def playing(number, **options):
    """Yield the open page of a mistake's arrangement, and its session."""
    async with serving(number) as (url, session), browser_page(**options) as page:
        await page.open(url)
        yield page, session
        assert page.errors == []


async def agree(page, session):
    """Wait until the page shows what the session has counted."""
    for side in SIDES:
        expected = session.state()["sides"][side]["counters"]

        async def is_drawn(side=side, expected=expected):
            return await page.counters(side) == expected

        assert await poll_until(is_drawn, timeout=30)


def received(session, side):
    """Return how many chat messages a side's tabs really received."""
    tabs = session.sides[side].tabs.values()
    return sum(len(live.tab.inbox.of(events.CHAT_MESSAGE)) for live in tabs)


async def test_03_a_tab_is_connected_but_in_no_room():
    async with playing(3) as (page, session):
        await page.act("send")
        await page.select("ben/1")
        await page.act("cut")
        assert "no connection" in await page.tab("good", "ben/1")
        told = await page.act("back")
        assert "in no room" in told
        await page.select("ana/1")
        await page.act("send")
        await agree(page, session)
        assert (await page.counters("bad"))["lost"] == 1
        assert (await page.counters("good"))["delivered"] == received(session, "good") == 2
        assert "connected" in await page.tab("bad", "ben/1")
        assert "in no room" in await page.tab("bad", "ben/1")
        assert "in 2 rooms" in await page.tab("good", "ben/1")


async def test_01_dead_ids_stay_as_tokens():
    async with playing(1) as (page, session):
        await page.select("ben/1")
        for _ in range(2):
            await page.act("cut")
            await page.act("back")
        await page.select("ana/1")
        await page.act("send")
        await agree(page, session)
        assert await page.page.locator(".side.bad .chip.dead").count() == 2
        assert await page.page.locator(".side.good .chip.dead").count() == 0
        bad, good = await page.counters("bad"), await page.counters("good")
        assert (bad["wasted"], bad["kept"]) == (2, 2)
        assert (good["wasted"], good["kept"]) == (0, 0)


async def test_02_a_report_goes_to_the_dead_id_or_the_room():
    async with playing(2) as (page, session):
        await page.act("report")
        assert "user:ana" in await page.memory("good")
        await page.act("cut")
        await page.act("back")
        await page.act("finish")
        await agree(page, session)
        assert (await page.counters("bad"))["lost"] == 1
        assert (await page.counters("good"))["delivered"] == 1


async def test_04_a_closed_tab_deletes_the_row_of_the_other():
    async with playing(4) as (page, session):
        await page.select("ben/2")
        await page.act("close")
        await page.select("ana/1")
        await page.act("send")
        await agree(page, session)
        assert await page.page.locator(".side.bad .tr").count() == 2
        assert (await page.counters("bad"))["lost"] == 1
        assert (await page.counters("good"))["lost"] == 0


async def test_05_presence_stands_beside_the_true_tabs():
    async with playing(5) as (page, session):
        await page.select("ben/2")
        await page.act("close")
        await page.select("ana/1")
        await page.act("send")
        await agree(page, session)
        belief = '.side.{} [data-person="ben"] .belief'
        assert "server: offline · truth: 1 tab" in await page.page.inner_text(belief.format("bad"))
        assert "server: online · truth: 1 tab" in await page.page.inner_text(belief.format("good"))


async def test_06_a_position_reaches_everyone_or_its_followers():
    async with playing(6) as (page, session):
        await page.page.focus('[data-action="crowd"]')
        await page.page.keyboard.press("ArrowRight")
        await page.page.wait_for_function("() => document.querySelectorAll('.side.bad .crowd .dot').length === 20")
        await page.act("drive")
        await agree(page, session)
        bad, good = await page.counters("bad"), await page.counters("good")
        assert (bad["delivered"], good["delivered"], good["wasted"]) == (2, 2, 0)
        assert bad["wasted"] >= 20


async def test_07_two_tabs_throw_each_other_out():
    async with playing(7) as (page, session):
        await page.select("ben/1")
        await page.act("open")
        await page.page.wait_for_selector('.side.good [data-tab="ben/2"].connected')
        await page.select("ana/1")
        await page.act("send")
        await agree(page, session)
        assert (await page.counters("bad"))["lost"] >= 1
        assert (await page.counters("good"))["delivered"] == received(session, "good") == 2


async def test_08_a_stranger_reads_what_is_not_his():
    async with playing(8) as (page, session):
        await page.page.fill('[name="room"]', "user:ben")
        await page.act("join")
        await page.select("ana/1")
        await page.act("send")
        await agree(page, session)
        assert "reads m" in await page.page.inner_text(".side.bad .console")
        assert "reads m" not in await page.page.inner_text(".side.good .console")
        assert "forbidden" in await page.page.inner_text(".side.good .console")


async def test_09_the_loop_stands_still_while_it_computes():
    async with playing(9) as (page, _):
        await page.act("compute")
        stalls = {}
        for side in SIDES:
            text = await page.page.inner_text(f".side.{side} .loop-text")
            stalls[side] = int(re.search(r"standstill of the loop: (\d+) ms", text)[1])
            assert await page.page.locator(f".side.{side} .pulse").count() == 20
        assert stalls["bad"] > stalls["good"]


async def test_10_a_bucket_stops_a_flood_and_not_a_burst():
    async with playing(10) as (page, _):
        await page.act("flood")
        assert await page.page.locator(".side.good .extra .refused").count() > 0
        assert await page.page.locator(".side.bad .extra .refused").count() == 0
        told = await page.act("burst")
        assert told.count("40 of 40 accepted") == 2


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


async def test_slow_motion_takes_longer():
    async with playing(3) as (page, session):
        now = "performance.now()"
        times = []
        for _ in range(2):
            begin = await page.page.evaluate(now)
            await page.act("send")
            times.append(await page.page.evaluate(now) - begin)
            await page.page.click("#slow")
        assert times[1] > 2 * times[0]
        await agree(page, session)


async def test_guess_first_compares_with_what_arrived():
    async with playing(3) as (page, session):
        await page.page.click("#guess")
        await page.page.click('[data-action="send"]')
        assert "How many will?" in await page.page.inner_text("#guess-question")
        await page.page.check('.guess.bad input[value="0"]')
        await page.page.check('.guess.good input[value="1"]')
        assert received(session, "bad") == 0
        await page.page.click('#guess-dialog [value="send"]')
        await page.page.wait_for_selector(".judged")
        judged = await page.page.inner_text(".judged")
        assert re.search(r"said 0, 1 arrived ✗.*said 1, 1 arrived ✓.*1 of 2 right", judged)


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
            "window.drawn = 0; const arc = CanvasRenderingContext2D.prototype.arc;"
            "CanvasRenderingContext2D.prototype.arc = function (...all) { drawn += 1; return arc.apply(this, all); };"
        )
        await page.open(url)
        await page.act("send")
        assert session.state()["sides"]["good"]["counters"]["delivered"] == 1
        assert await page.page.evaluate("drawn") == 0


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


async def test_page_says_that_the_session_has_ended():
    async with browser_page() as page:
        async with serving(3) as (url, _):
            await page.open(url)
        await page.page.wait_for_selector("#ended:not([hidden])")
        assert await page.page.is_disabled('[data-action="cut"]')
