"""Tests that a client which ignores its refusals is closed.

An honest client is not. Row 42 of `WITHSTANDS.md` is among them.
"""

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from ...gateway import abuse
from ...gateway.abuse import NOTICE_SECONDS, QUIET_SECONDS, Refusals
from ..checks import notices_nothing
from ..package import PACKAGE
from ..stand_in import LEAVE, LEAVE_TEXT, NOTE_SEND, PIN_SET, PRIVILEGED
from ..wire import bare, client_frame

PER_MINUTE = 60
# fourteen minutes of positions
BUFFERED = 820


def refused_at(refusals, *times):
    """Return whether the count is too high after refusals at these times."""
    return [refusals.add(now, PER_MINUTE) for now in times][-1]


def test_refusals_before_the_client_can_know_do_not_count():
    refusals = Refusals()
    assert not refused_at(refusals, *[1000.0] * 10_000, 1000 + NOTICE_SECONDS)


def test_refusals_after_the_notice_count():
    refusals = Refusals()
    later = 1000.0 + NOTICE_SECONDS + 0.1
    assert refused_at(refusals, 1000.0, *[later] * (PER_MINUTE + 1))
    assert not refused_at(Refusals(), 1000.0, *[later] * PER_MINUTE)


def test_the_count_of_refusals_decays():
    refusals = Refusals()
    # one per second is exactly what decays
    assert not refused_at(refusals, *(float(second) for second in range(600)))


def test_a_faster_client_is_closed_in_the_end():
    refusals = Refusals()
    assert refused_at(refusals, *(half / 2 for half in range(600)))


def test_a_short_pause_gives_no_second_notice():
    refusals = Refusals()
    refusals.add(1000.0, PER_MINUTE)
    again = 1000.0 + QUIET_SECONDS - 1
    assert refused_at(refusals, *[again] * (PER_MINUTE + 1))


def test_a_long_quiet_time_gives_a_new_notice():
    refusals = Refusals()
    refusals.add(1000.0, PER_MINUTE)
    again = 1000.0 + QUIET_SECONDS + 1
    assert not refused_at(refusals, *[again] * (PER_MINUTE + 1))


async def check_flood(server, seconds=5.0):
    """Assert that a client with 6,000 events per second is closed.

    About every hundredth is accepted.
    """
    codes = []

    async def flood(ana):
        while not ana.writer.is_closing():
            ana.writer.write(client_frame("427" + LEAVE_TEXT) * 60)
            await ana.writer.drain()
            await asyncio.sleep(0.01)

    async with bare(server.url, server.token("ana")) as ana:
        sending = asyncio.create_task(flood(ana))
        try:
            async with asyncio.timeout(seconds):
                while (ack := await ana.ack(7)) is not None:
                    codes.append("ok" if ack["ok"] else ack["error"]["code"])
        except TimeoutError:
            pytest.fail("was not closed")
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    # the count of refusals in a row was reset again and again
    last_ok = len(codes) - codes[::-1].index("ok")
    assert "rate_limited" in codes[:last_ok]


async def test_row_42_a_flood_with_some_accepted_events_is_closed(serve, connect, monkeypatch):
    monkeypatch.setattr(abuse, "NOTICE_SECONDS", 0.2)
    server = await serve(events_per_second=60, burst_seconds=1)
    bob = await connect("bob", to=server)
    await check_flood(server)
    await notices_nothing(server, bob)


async def test_row_42_fails_when_a_success_resets_the_count(serve, monkeypatch):
    class Reset(abuse.Abuse):
        """Forgets its refusals again and again, as after accepted events."""

        def reason_to_close(self, event, refusal, now, settings):
            if now - self.refusals.last > 0.001 or self.refusals.count > 100:
                self.refusals.count = 0.0
            return super().reason_to_close(event, refusal, now, settings)

    monkeypatch.setattr(abuse, "NOTICE_SECONDS", 0.2)
    monkeypatch.setattr(f"{PACKAGE}.gateway.gateway.Abuse", Reset)
    with pytest.raises(pytest.fail.Exception, match="was not closed"):
        await check_flood(await serve(events_per_second=60, burst_seconds=1), seconds=1.5)


async def send_buffered(server):
    """Send what a client buffered while it was offline. Return the ack of the message behind its positions."""
    async with bare(server.url, server.token("ana", PRIVILEGED)) as ana:
        for _ in range(BUFFERED):
            ana.send("42" + json.dumps([PIN_SET, {"lat": 0, "lng": 0}]))
        ana.send("427" + json.dumps([NOTE_SEND, {"to": "bob", "text": "back"}]))
        first = await ana.ack(7)
        ana.send("428" + LEAVE_TEXT)
        return first, await ana.ack(8)


async def test_a_client_that_was_offline_may_send_its_positions(serve):
    note, later = await send_buffered(await serve())
    assert note is not None
    assert later is not None, "was closed"
    # the refused positions took nothing from the rate of the chat
    assert note["ok"]


async def test_what_the_client_could_know_decides(serve, monkeypatch):
    monkeypatch.setattr(abuse, "NOTICE_SECONDS", -1.0)
    assert await send_buffered(await serve()) == (None, None)


async def test_a_close_is_logged_once_and_ends_all_handling(serve, monkeypatch, until):
    monkeypatch.setattr(abuse, "NOTICE_SECONDS", -1.0)
    server = await serve(events_per_second=0.1, burst_seconds=10, refusals_per_minute=5)
    with capture_logs() as logs:
        async with bare(server.url, server.token("ana")) as ana:
            ana.writer.write(client_frame("427" + LEAVE_TEXT) * 300)
            assert await ana.is_closed(5)
        await until(lambda: server.application.limits.connections == 0)
    assert [entry["reason"] for entry in logs if entry["event"] == "closed"] == ["flood"]
    assert [entry["reason"] for entry in logs if entry["event"] == "disconnected"] == ["flood"]
    # one accepted, and six refused
    assert server.application.guards.metrics.events.labels(LEAVE[0], "rate_limited")._value.get() == 6
