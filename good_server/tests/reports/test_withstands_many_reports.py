"""Tests of row 58 of `WITHSTANDS.md`: many reports of one user."""

import asyncio

import pytest

from ...events import REPORT_READY, REPORT_REQUEST
from ...reports import embedded
from ..waiting import WAIT_SECONDS

MANY = 120
# what one user may have waiting by default
CAP = 64


async def ask_for_many(tab, milliseconds):
    """Ask for `MANY` reports at once. Return how many are accepted; the others are refused with `busy`."""
    acks = await asyncio.gather(*(tab.ask(REPORT_REQUEST, {"kind": "cpu", "size": milliseconds}) for _ in range(MANY)))
    assert {ack["error"]["code"] for ack in acks if not ack["ok"]} <= {"busy"}
    return [ack["ok"] for ack in acks].count(True)


async def check_turns(server, ana, bob):
    """Assert that bob's report does not wait for those of ana."""
    # some may be finished before the last one is asked for
    assert CAP <= await ask_for_many(ana, 100) < MANY
    ack = await bob.ask(REPORT_REQUEST, {"kind": "cpu", "size": 10})
    assert ack["ok"], "bob's report is refused"
    report = await asyncio.wait_for(bob.receives(REPORT_READY), WAIT_SECONDS)
    assert "result" in report, "bob's report failed"
    [made] = await server.fence(ana)
    assert len(made) < CAP // 2, f"bob waited for {len(made)} reports of ana"


async def test_row_58_many_reports_of_one_user_delay_nobody(serve, connect):
    server = await serve()
    await check_turns(server, await connect("ana", to=server), await connect("bob", to=server))


@pytest.mark.needs("cluster")
async def test_row_58_many_reports_in_redis_delay_nobody(two, worker, connect):
    server, _ = await two()
    await worker()
    await check_turns(server, await connect("ana", to=server), await connect("bob", to=server))


async def test_row_58_fails_without_its_defence(serve, connect, monkeypatch):
    monkeypatch.setattr(embedded, "asker_of", lambda to: "everyone")
    server = await serve()
    with pytest.raises(AssertionError, match="bob's report is refused"):
        await check_turns(server, await connect("ana", to=server), await connect("bob", to=server))


@pytest.mark.slow
async def test_row_58_waiting_does_not_count_as_work(serve, connect):
    server = await serve(report_seconds=1)
    ana = await connect("ana", to=server)
    # the last one waits for longer than the deadline of a report
    for _ in range(24):
        assert (await ana.ask(REPORT_REQUEST, {"kind": "cpu", "size": 50}))["ok"]
    assert ["result" in await ana.receives(REPORT_READY) for _ in range(24)] == [True] * 24
