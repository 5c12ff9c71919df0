"""`report:request` and `report:ready`: work that a handler must not do itself."""

import os
import time

import pytest

from ...services import cpu


async def test_a_cpu_report_is_made_and_says_what_it_cost(connect):
    ana = await connect("ana")
    ack = await ana.ask("report:request", {"kind": "cpu", "size": 20})
    report = await ana.hears("report:ready")
    assert ack == {"ok": True, "data": {"job": report["job"]}}
    assert report == {"job": report["job"], "kind": "cpu", "result": {"cpu_seconds": report["result"]["cpu_seconds"]}}
    assert report["result"]["cpu_seconds"] >= 0.02


async def test_an_outside_report_is_made_and_costs_nothing_here(connect):
    ana = await connect("ana")
    ack = await ana.ask("report:request", {"kind": "outside", "size": 1})
    job = ack["data"]["job"]
    assert await ana.hears("report:ready") == {"job": job, "kind": "outside", "result": {"cpu_seconds": 0.0}}


async def test_a_report_reaches_all_tabs_of_who_asked_and_nobody_else(server, connect):
    asking, other, eve = await connect("ana"), await connect("ana"), await connect("eve", "admin")
    await asking.ask("report:request", {"kind": "outside", "size": 1})
    assert await asking.hears("report:ready") == await other.hears("report:ready")
    assert await server.fence(eve) == [[]]


async def test_a_report_reaches_the_tab_that_came_back(server, connect, until):
    leaving = await connect("ana")
    job = (await leaving.ask("report:request", {"kind": "outside", "size": 500}))["data"]["job"]
    await leaving.sio.disconnect()
    await until(lambda: server.members("user:ana") == 0)
    back = await connect("ana")
    assert (await back.hears("report:ready"))["job"] == job


async def test_others_are_served_while_reports_are_made(server, connect):
    ana, bob = await connect("ana"), await connect("bob")
    await ana.ask("report:request", {"kind": "cpu", "size": 300})
    await bob.ask("chat:send", {"to": "ana", "text": "hello"})
    [heard] = await server.fence(ana)
    assert [name for name, _ in heard] == ["chat:message"]


async def test_64_reports_may_wait_and_the_next_is_told_busy(serve, connect):
    ana = await connect("ana", to=await serve(reports_waiting=64))
    asked = {"kind": "outside", "size": 2000}
    acks = [await ana.ask("report:request", asked) for _ in range(65)]
    assert [ack["ok"] for ack in acks] == [True] * 64 + [False]
    assert acks[-1]["error"]["code"] == "busy"


async def test_a_report_whose_worker_crashes_ends_with_an_error(connect, monkeypatch):
    ana = await connect("ana")
    monkeypatch.setattr(cpu, "burn", os._exit)
    job = (await ana.ask("report:request", {"kind": "cpu", "size": 1}))["data"]["job"]
    report = await ana.hears("report:ready")
    assert report.keys() == {"job", "kind", "error"}
    assert (report["job"], report["error"]["code"]) == (job, "internal")


async def test_a_report_that_hangs_ends_with_an_error(serve, connect, monkeypatch):
    ana = await connect("ana", to=await serve(report_seconds=0.2))
    monkeypatch.setattr(cpu, "burn", time.sleep)
    await ana.ask("report:request", {"kind": "cpu", "size": 2000})
    assert (await ana.hears("report:ready"))["error"]["code"] == "internal"


@pytest.mark.parametrize("fault", [os._exit, time.sleep])
async def test_reports_are_made_again_after_a_worker_was_lost(serve, connect, monkeypatch, fault):
    ana = await connect("ana", to=await serve(report_seconds=2))
    with monkeypatch.context() as patch:
        patch.setattr(cpu, "burn", fault)
        await ana.ask("report:request", {"kind": "cpu", "size": 2000})
        await ana.hears("report:ready")
    await ana.ask("report:request", {"kind": "cpu", "size": 1})
    assert "result" in await ana.hears("report:ready")
