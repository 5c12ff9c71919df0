"""Tests of volatile messages: a client that does not read receives none."""

import json

import pytest

from ...events import Message
from ...rooms import user_room
from ..wire import SLOW_RECEIVE_BYTES, bare

pytestmark = pytest.mark.engine

# more than all buffers between the server and a client hold
MESSAGES, TEXT = 800, "x" * 20_000
UNBOUNDED = {"outbox_bytes": 10**9, "outbox_messages": 10**9, "connects_per_second": 1e6}
TO = [user_room("slow"), user_room("ana")]


class Gauge(Message):
    event = "test:gauge"
    is_volatile = True

    level: int


def queue_of(server, user):
    """Return the send queue of this user's only socket."""
    (sid,) = server.gateway.sids_in(user_room(user))
    return server.sio.eio.sockets[server.sio.manager.eio_sid_from_sid(sid, "/")].queue


async def names_until(reader, last):
    """Read the events of a client up to the event `last`. Return their names."""
    names = []
    while last not in names:
        names.append(json.loads((await reader.frame()).removeprefix("42"))[0])
    return names


async def check_volatile(sender, server, connect, until):
    """Assert that a client that does not read gets no volatile message.

    The client is connected to `server`, and the message comes from `sender`. Other clients receive it, and the slow
    client receives all other messages.
    """
    ana = await connect("ana", to=server)
    async with bare(server.url, server.token("slow"), receive_bytes=SLOW_RECEIVE_BYTES) as slow:
        queue = queue_of(server, "slow")
        for _ in range(MESSAGES):
            await server.sio.emit("news", TEXT, room=[user_room("slow")])
        await until(lambda: queue.is_backed_up)
        await sender.gateway.send(Gauge.event, Gauge(level=1), to=TO)
        await sender.sio.emit("end", 1, room=TO)
        assert await ana.receives(Gauge.event) == {"level": 1}
        await ana.receives("end")
        assert await names_until(slow, "end") == ["news"] * MESSAGES + ["end"]
        # the client has read everything, so it is slow no more
        await until(lambda: not queue.is_backed_up)
        await sender.gateway.send(Gauge.event, Gauge(level=2), to=TO)
        assert await slow.frame() == f'42["{Gauge.event}",{{"level":2}}]'


async def test_a_client_that_does_not_read_gets_no_volatile_message(serve, connect, until):
    server = await serve(**UNBOUNDED)
    await check_volatile(server, server, connect, until)


@pytest.mark.needs("cluster")
async def test_a_volatile_message_of_another_process_is_dropped_too(two, connect, until):
    sender, server = await two(**UNBOUNDED)
    await check_volatile(sender, server, connect, until)


async def test_the_check_fails_for_a_message_that_is_not_volatile(serve, connect, until, monkeypatch):
    monkeypatch.setattr(Gauge, "is_volatile", False)
    server = await serve(**UNBOUNDED)
    with pytest.raises(AssertionError, match=Gauge.event):
        await check_volatile(server, server, connect, until)
