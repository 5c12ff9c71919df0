"""Tests of sockets that are gone after the server waited.

Neither a room nor a log entry of an error is left of them.
"""

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from ...admission import is_closing
from ...events import AUTH_REFRESH, ROOM_JOIN
from ...gateway import Gateway
from ..entitlements import Everything
from ..stand_in import LEAVE, topic
from ..wire import Bare, bare

ROOM = topic("slow")
COUNT = 20


class Gate:
    """An entitlement service that answers when the test opens it."""

    def __init__(self):
        self.opened, self.asked = asyncio.Event(), 0

    async def may_join(self, identity, room):
        self.asked += 1
        await self.opened.wait()
        return True


async def check_left(server, until, logs, others=0):
    """Assert that nothing is left of sockets that are gone."""
    await until(lambda: server.application.limits.connections == others)
    rooms = server.sio.manager.rooms.get("/", {})
    assert {room for room, members in rooms.items() if not members} == set()
    assert ROOM not in rooms
    assert [entry for entry in logs if entry["log_level"] in ("error", "critical")] == []


@pytest.mark.parametrize("event", [ROOM_JOIN, AUTH_REFRESH])
async def test_a_socket_that_is_gone_when_it_is_joined_leaves_no_room(serve, until, event):
    gate = Gate()
    server = await serve(entitlements=gate)
    token = server.token("ana", rooms=[ROOM])
    payload = {"room": ROOM} if event == ROOM_JOIN else {"token": server.token("ana")}
    with capture_logs() as logs:
        wires = [
            await Bare.open(server.url, token if event == AUTH_REFRESH else server.token("ana")) for _ in range(10)
        ]
        for wire in wires:
            wire.send("427" + json.dumps([event, payload]))
        await until(lambda: gate.asked == len(wires))
        for wire in wires:
            wire.cut()
        # the sockets leave their rooms while their events still wait
        await until(lambda: server.members(None) == 0)
        gate.opened.set()
        await check_left(server, until, logs)


@pytest.fixture
def slow_joined(monkeypatch):
    """Let `Gateway.joined` wait before or after it joins the rooms. `slow_joined("before")` returns two events."""

    def make(when):
        began, may_end, real = asyncio.Event(), asyncio.Event(), Gateway.joined

        async def joined(self, request):
            if when == "after":
                await real(self, request)
            began.set()
            await may_end.wait()
            if when == "before":
                await real(self, request)

        monkeypatch.setattr(Gateway, "joined", joined)
        return began, may_end

    return make


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_socket_that_is_gone_during_its_connect_leaves_nothing(serve, until, slow_joined, when):
    began, may_end = slow_joined(when)
    server = await serve(entitlements=Everything())
    with capture_logs() as logs:
        async with bare(server.url) as ana:
            ana.send("40" + json.dumps({"token": server.token("ana", rooms=[ROOM])}))
            await began.wait()
        await until(lambda: all(is_closing(environ) for environ in server.sio.environ.values()))
        may_end.set()
        await check_left(server, until, logs)
        assert server.members(None) == 0
    assert not server.sio.manager.pending_connect
    assert [entry["code"] for entry in logs if entry["event"] == "refused"] == ["unauthorized"]


async def test_a_socket_that_is_gone_during_the_count_is_refused(serve, until, monkeypatch):
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def of_others(kind, *_, **__):
        if kind == "user":
            asked.set()
            await may_answer.wait()
        return {}

    server = await serve()
    monkeypatch.setattr(server.application.guards.cluster.counts, "of_others", of_others)
    with capture_logs() as logs:
        async with bare(server.url) as ana:
            ana.send("40" + json.dumps({"token": server.token("ana")}))
            await asked.wait()
        await until(lambda: all(is_closing(environ) for environ in server.sio.environ.values()))
        may_answer.set()
        await check_left(server, until, logs)
        assert server.members(None) == 0


async def test_a_hook_that_hangs_does_not_block_a_new_tab(serve, connect, monkeypatch):
    monkeypatch.setattr(Gateway, "left", lambda self, request: asyncio.Event().wait())
    server = await serve(sockets_per_user=1, handler_seconds=0.2)
    old = await connect("ana", to=server)
    new = await connect("ana", to=server)
    assert await old.is_closed()
    assert (await new.ask(*LEAVE))["ok"]
