"""Tests of row 35 of `WITHSTANDS.md`: failing, hanging and too many jobs."""

import asyncio
import os
import time

import pytest

from ...events import REPORT_READY, REPORT_REQUEST
from ...services import cpu
from ..checks import is_served
from ..stand_in import NOTES_PER_SECOND
from ..wire import bare, event_text

UNLIMITED = {"events_per_second": 1e9, NOTES_PER_SECOND: 1e9}


async def check_jobs(server, tab, monkeypatch, fault):
    """Assert that the user of a failed job gets an error report. The next job of the same user runs."""
    with monkeypatch.context() as patch:
        patch.setattr(cpu, "burn", fault)
        assert (await tab.ask(REPORT_REQUEST, {"kind": "cpu", "size": 2000}))["ok"]
        try:
            async with asyncio.timeout(3):
                assert (await tab.receives(REPORT_READY))["error"]["code"] == "internal"
        except TimeoutError:
            pytest.fail("received no report")
    await tab.ask(REPORT_REQUEST, {"kind": "cpu", "size": 1})
    assert "result" in await tab.receives(REPORT_READY)


@pytest.mark.timing
@pytest.mark.parametrize("fault", [os._exit, time.sleep], ids=["crashes", "hangs"])
async def test_row_35_a_job_that_crashes_or_hangs_ends_with_an_error(serve, connect, monkeypatch, fault):
    server = await serve(report_seconds=1)
    tab, bob = await connect("ana", to=server), await connect("bob", to=server)
    await check_jobs(server, tab, monkeypatch, fault)
    assert await is_served(bob)


@pytest.mark.timing
async def test_row_35_fails_without_its_defence(serve, connect, monkeypatch):
    server = await serve(report_seconds=3600)
    with pytest.raises(pytest.fail.Exception, match="received no report"):
        await check_jobs(server, await connect("ana", to=server), monkeypatch, time.sleep)


async def test_row_35_jobs_that_come_too_fast_get_busy(serve, connect):
    server = await serve(reports_waiting=64, **UNLIMITED)
    bob = await connect("bob", to=server)
    async with bare(server.url, server.token("ana")) as attacker:
        for number in range(500):
            attacker.send(event_text(REPORT_REQUEST, {"kind": "outside", "size": 2000}, id=number))
        acks = [await attacker.ack(number) for number in range(500)]
        assert [ack["ok"] for ack in acks] == [True] * 64 + [False] * 436
        assert {ack["error"]["code"] for ack in acks[64:]} == {"busy"}
        assert await is_served(bob)
