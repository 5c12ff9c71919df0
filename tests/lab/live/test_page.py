"""Tests of the ten arrangements in a real Chromium, with real servers."""

import pytest
from lab.live import reports

from good_server import events

from .page_driver import SIDES, agree, playing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


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


async def test_06_positions_reach_everyone_or_their_followers():
    async with playing(6) as (page, session):
        await page.act("round")
        await page.page.focus('[data-action="crowd"]')
        await page.page.keyboard.press("ArrowRight")
        await page.page.wait_for_function("() => document.querySelectorAll('.side.bad .crowd .dot').length === 20")
        await page.act("drive")
        await page.act("round")
        await agree(page, session)
        bad, good = await page.counters("bad"), await page.counters("good")
        assert bad["delivered"] == good["delivered"] == 10
        # each of five positions reaches all six people, four of them also the crowd, who need none
        assert (bad["wasted"], good["wasted"]) == (5 * 4 + 4 * 20, 0)
        for side in SIDES:
            assert await page.page.locator(f".side.{side} .chart circle").count() == 2
            shown = await page.page.get_attribute(f".side.{side} .chart", "aria-label")
            rounds = session.sides[side].board.named["rounds"]
            assert all(f"{found['bytes']} bytes with {clients} clients" in shown for clients, found in rounds.items())


async def test_07_two_tabs_throw_each_other_out():
    async with playing(7) as (page, session):
        await page.select("ben/1")
        await page.act("open")
        await page.page.wait_for_selector('.side.good [data-tab="ben/2"].connected')
        await page.select("ana/1")
        # a message may come in the moment when the server has both, but not each time
        for sent in range(1, 6):
            await page.act("send")
            await agree(page, session)
            assert (await page.counters("good"))["delivered"] == received(session, "good") == 2 * sent
            if (await page.counters("bad"))["lost"]:
                break
        assert (await page.counters("bad"))["lost"] >= 1


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


async def test_09_the_reader_chooses_how_the_bad_server_works(monkeypatch):
    monkeypatch.setattr(reports, "COMPUTE_MILLISECONDS", 300)
    async with playing(9) as (page, session):
        await page.act("compute")
        await page.page.select_option('[data-action="way"]', "process")
        await page.page.wait_for_function("() => document.querySelector('#happened').textContent.includes('another')")
        await page.act("compute")
        await agree(page, session)
        for side in SIDES:
            measured = session.sides[side].board.named["ways"]
            shown = await page.page.inner_text(f".side.{side} .ways")
            assert all(f"{found['stall']} ms" in shown for found in measured.values())
            assert await page.page.locator(f".side.{side} .pulse").count() == 20
        assert session.sides["bad"].board.named["ways"]["handler"]["stall"] >= 300
        assert "in another process" in await page.page.inner_text(".side.bad .ways")


async def test_09_the_clock_hand_shows_the_turns_of_the_loop():
    async with playing(9) as (page, session):
        hand = "document.querySelector('.side.good .loop-clock .hand-line').style.transform"
        before = await page.page.evaluate(hand)
        await page.page.wait_for_function(f"before => {hand} !== before", arg=before)
        assert session.sides["good"].board.named["loop"]["turns"] > 0


async def test_10_a_bucket_stops_a_flood_and_not_a_burst():
    async with playing(10) as (page, session):
        await page.act("flood")
        assert await page.page.locator(".side.good .extra .refused").count() > 0
        assert await page.page.locator(".side.bad .extra .refused").count() == 0
        # the glass fills again
        assert int(await page.page.locator(".side.good .glass text").text_content()) > 0
        told = await page.act("burst")
        assert told.count("40 of 40 accepted") == 2
        await agree(page, session)
        assert (await page.counters("bad"))["delivered"] == received(session, "bad") == 140
        assert (await page.counters("good"))["delivered"] == received(session, "good") < 140
