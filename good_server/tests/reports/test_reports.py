"""Tests of reports, which are work outside of the event handlers."""

import os
import time

import pytest

from ...events import REPORT_READY, REPORT_REQUEST
from ...rooms import user_room
from ...services import cpu
from ..stand_in import NOTE_RECEIVED, NOTE_SEND, PRIVILEGED


async def test_a_cpu_report_contains_the_used_cpu_time(connect):
    ana = await connect("ana")
    ack = await ana.ask(REPORT_REQUEST, {"kind": "cpu", "size": 20})
    report = await ana.receives(REPORT_READY)
    assert ack == {"ok": True, "data": {"job": report["job"]}}
    assert report == {"job": report["job"], "kind": "cpu", "result": {"cpu_seconds": report["result"]["cpu_seconds"]}}
    assert report["result"]["cpu_seconds"] >= 0.02


async def test_an_outside_report_uses_no_cpu_time(connect):
    ana = await connect("ana")
    ack = await ana.ask(REPORT_REQUEST, {"kind": "outside", "size": 1})
    job = ack["data"]["job"]
    assert await ana.receives(REPORT_READY) == {"job": job, "kind": "outside", "result": {"cpu_seconds": 0.0}}


async def test_a_report_reaches_all_tabs_of_its_user_and_no_others(server, connect):
    asking, other, eve = await connect("ana"), await connect("ana"), await connect("eve", PRIVILEGED)
    await asking.ask(REPORT_REQUEST, {"kind": "outside", "size": 1})
    assert await asking.receives(REPORT_READY) == await other.receives(REPORT_READY)
    assert await server.fence(eve) == [[]]


async def test_a_report_reaches_a_tab_that_reconnected(server, connect, until):
    leaving = await connect("ana")
    job = (await leaving.ask(REPORT_REQUEST, {"kind": "outside", "size": 500}))["data"]["job"]
    await leaving.sio.disconnect()
    await until(lambda: server.members(user_room("ana")) == 0)
    back = await connect("ana")
    assert (await back.receives(REPORT_READY))["job"] == job


async def test_others_are_served_while_reports_are_made(server, connect):
    ana, bob = await connect("ana"), await connect("bob")
    await ana.ask(REPORT_REQUEST, {"kind": "cpu", "size": 300})
    await bob.ask(NOTE_SEND, {"to": "ana", "text": "hello"})
    [received] = await server.fence(ana)
    assert [name for name, _ in received] == [NOTE_RECEIVED]


async def test_64_reports_may_wait_and_the_next_is_busy(serve, connect):
    ana = await connect("ana", to=await serve(reports_waiting=64))
    asked = {"kind": "outside", "size": 2000}
    acks = [await ana.ask(REPORT_REQUEST, asked) for _ in range(65)]
    assert [ack["ok"] for ack in acks] == [True] * 64 + [False]
    assert acks[-1]["error"]["code"] == "busy"


async def test_a_report_whose_worker_crashes_ends_with_an_error(connect, monkeypatch):
    ana = await connect("ana")
    monkeypatch.setattr(cpu, "burn", os._exit)
    job = (await ana.ask(REPORT_REQUEST, {"kind": "cpu", "size": 1}))["data"]["job"]
    report = await ana.receives(REPORT_READY)
    assert report.keys() == {"job", "kind", "error"}
    assert (report["job"], report["error"]["code"]) == (job, "internal")


async def test_a_report_that_hangs_ends_with_an_error(serve, connect, monkeypatch):
    ana = await connect("ana", to=await serve(report_seconds=0.2))
    monkeypatch.setattr(cpu, "burn", time.sleep)
    await ana.ask(REPORT_REQUEST, {"kind": "cpu", "size": 2000})
    assert (await ana.receives(REPORT_READY))["error"]["code"] == "internal"


@pytest.mark.parametrize("fault", [os._exit, time.sleep])
async def test_reports_are_made_again_after_a_worker_was_lost(serve, connect, monkeypatch, fault):
    ana = await connect("ana", to=await serve(report_seconds=2))
    with monkeypatch.context() as patch:
        patch.setattr(cpu, "burn", fault)
        await ana.ask(REPORT_REQUEST, {"kind": "cpu", "size": 2000})
        await ana.receives(REPORT_READY)
    await ana.ask(REPORT_REQUEST, {"kind": "cpu", "size": 1})
    assert "result" in await ana.receives(REPORT_READY)
