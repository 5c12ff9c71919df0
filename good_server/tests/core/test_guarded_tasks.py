"""Tests of row 57 of `WITHSTANDS.md`: an error in a long-lived task."""

import asyncio

import pytest

from ...rooms import user_room
from ..checks import still_gets_messages
from .test_http import answer


class Broken(Exception):
    """An error that nobody expects."""


async def test_row_57_the_sweep_survives_an_error(server, http, connect, until, monkeypatch):
    bob = await connect("bob")
    monkeypatch.setattr(server.application.limits, "sweep", broken)
    await until(lambda: "sweep" in server.application.guards.background.failing)
    assert await answer(http, server.internal_url + "/readyz") == (503, "failing: sweep\n")
    monkeypatch.undo()
    await until(lambda: not server.application.guards.background.failing)
    assert (await answer(http, server.internal_url + "/readyz"))[0] == 200
    assert await still_gets_messages(server, bob)


def broken(*_arguments, **_options):
    raise Broken


@pytest.mark.engine
@pytest.mark.needs("delivery")
async def test_row_57_one_broken_heartbeat_ends_no_other(serve, dial, until):
    server = await serve(ping_interval_seconds=1, ping_timeout_seconds=60)
    first, second = await dial(to=server), await dial(to=server)
    socket = next(iter(server.sio.eio.sockets.values()))
    # the first of the two is pinged first
    socket.queue = type("Queue", (), {"write": broken, "close_reason": None})()
    assert await second.frame() == "2"
    await first.websocket.close()


@pytest.mark.engine
@pytest.mark.needs("delivery")
async def test_row_57_a_broken_send_queue_ends_its_connection(server, connect, monkeypatch):
    ana, bob = await connect("ana"), await connect("bob")
    from ...delivery.send_queue import SendQueue

    tick, environ = SendQueue.tick, environ_of(server, "ana")
    own = next(each.queue for sid, each in server.sio.eio.sockets.items() if server.sio.environ[sid] is environ)
    monkeypatch.setattr(SendQueue, "tick", lambda queue, now: broken() if queue is own else tick(queue, now))
    await server.sio.emit("news", 1, room=["user:ana", "user:bob"])
    assert await ana.is_closed()
    assert await still_gets_messages(server, bob)


def environ_of(server, user):
    (sid,) = server.gateway.sids_in(user_room(user))
    return server.sio.get_environ(sid)


# the library's own path only logs such an error, and goes on
@pytest.mark.engine
@pytest.mark.needs("delivery")
async def test_row_57_an_error_in_one_connection_ends_only_this_one(server, connect, dial, monkeypatch):
    bob, wire = await connect("bob"), await dial(token=server.token("ana"))
    monkeypatch.setattr(server.gateway, "trigger_event", lambda event, *arguments: broken())
    await wire.send('42["canary",{}]')
    async with asyncio.timeout(5):
        await wire.is_closed()
    monkeypatch.undo()
    assert await still_gets_messages(server, bob)
