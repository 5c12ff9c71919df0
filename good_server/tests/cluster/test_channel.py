"""Tests of what other programs write to the channel of the processes.

Every client of Redis that may publish can write there. Only emits to named rooms reach a client.
"""

import asyncio
import json
import secrets

import pytest
import socketio
from prometheus_client import CollectorRegistry, Counter

from ... import delivery_protocol
from ...auth import TokenAuth
from ...cluster import client_manager
from ...cluster.redis_subscriber import SENDERS, RedisSubscriber
from ...cluster.refused_commands import RefusedCommands
from ...cluster_protocol import EVICT
from ...events import RESERVED
from ...optional_parts import has_part
from ...rooms import role_room, user_room
from ...settings import Settings
from ..stand_in import PLAIN, PRIVILEGED
from ..waiting import WAIT_SECONDS, until
from .readiness import counted

BOB = user_room("bob")
FORGED = "forged"


def emit(**changes):
    """Return an emit to bob as python-socketio publishes it, with these changes. Ellipsis removes a field."""
    message = {
        "method": "emit",
        "event": FORGED,
        "data": ["x"],
        "binary": False,
        "namespace": "/",
        "room": [BOB],
        "skip_sid": None,
        "callback": None,
        "host_id": "x",
    } | changes
    return {name: value for name, value in message.items() if value is not ...}


NO_ROOMS = [..., None, "", [], {}, 0, 1, True, [None], [""], [BOB, ""], [BOB, None], [[BOB]], [{}], {"room": BOB}]
BAD_EMITS = {
    **{f"room {room}": emit(room=room) for room in NO_ROOMS},
    **{f"event {event}": emit(event=event) for event in (..., None, "", 1, [FORGED], *sorted(RESERVED))},
    **{f"namespace {name}": emit(namespace=name) for name in (..., None, 1, "/nowhere", ["/"])},
    **{f"data {data}": emit(data=data) for data in (..., None, "x", {"0": "x"})},
    **{f"skip {skip}": emit(skip_sid=skip) for skip in (1, {}, [1], [None])},
    **{f"callback {back}": emit(callback=back) for back in (["x", "/", 1], [], 1)},
    "binary without parts": emit(binary=True, data=[{"_placeholder": True, "num": 5}]),
    "binary that is no base64": emit(binary=True, data=[{"_placeholder": True, "num": 0}, "a"]),
    "binary of a strange kind": emit(binary="yes"),
}
EVICTION = {"method": EVICT, "process": "LINK", "namespace": "/", "user": "bob"}
OTHERS = {
    "disconnect": {"method": "disconnect", "sid": "SID", "namespace": "/"},
    "enter_room": {"method": "enter_room", "sid": "SID", "namespace": "/", "room": role_room("admin")},
    "leave_room": {"method": "leave_room", "sid": "SID", "namespace": "/", "room": BOB},
    "close_room": {"method": "close_room", "namespace": "/", "room": BOB},
    "callback": {"method": "callback", "host_id": "HOST", "sid": "SID", "namespace": "/", "id": 1, "args": []},
    "an unknown method": {"method": "shout", "room": BOB, "event": FORGED, "data": ["x"]},
    "a method of another type": {"method": ["emit"], "room": BOB, "event": FORGED, "data": ["x"]},
    "an eviction outside an envelope": EVICTION,
    "no object": [emit()],
    "a text": "emit",
    "nothing": None,
}
PLAIN_EMIT = json.dumps(emit()).encode()
RAW = {
    "no JSON": b"{",
    "no text": b"\xff\xfe",
    "empty": b"",
    "not a number": b'{"method": "emit", "event": "forged", "data": [NaN], "namespace": "/", "room": ["%s"]}'
    % BOB.encode(),
    "deep": b"[" * 100_000,
    "a lone surrogate": b'{"method":"emit","event":"forged","data":["\\ud800"],"namespace":"/","room":["%s"]}'
    % BOB.encode(),
}


# accepted as an emit, and then nobody is in the room, or the parts cannot be put together
SILENT = {"namespace /nowhere", "binary without parts", "binary that is no base64"}
KINDS = {"emits": BAD_EMITS, "other methods": OTHERS, "no messages": RAW}


class Channel:
    """Writes to a server's channel, as any client of its Redis can."""

    def __init__(self, server, tab):
        self._link = server.application.guards.cluster.link
        self._words = {"SID": tab.sio.get_sid(), "HOST": server.sio.manager.host_id, "LINK": self._link.name}

    async def publish(self, message):
        text = message if isinstance(message, bytes) else json.dumps(message).encode()
        for word, value in self._words.items():
            text = text.replace(f'"{word}"'.encode(), json.dumps(value).encode())
        await self._link.query(lambda redis: redis.publish(self._link.channel, text))


@pytest.fixture
def unverified(monkeypatch, dial):
    """`await unverified(server)` opens a connection that is not verified yet.

    Its token is checked when the event is set.
    """
    is_checked = asyncio.Event()

    async def start(server):
        identify = TokenAuth.identify

        async def hang(self, auth, *more):
            await is_checked.wait()
            return await identify(self, auth, *more)

        monkeypatch.setattr(TokenAuth, "identify", hang)
        wire = await dial(to=server)
        await wire.send("40" + json.dumps({"token": server.token("eve")}))
        await until(lambda: server.sio.manager.rooms["/"].get(None) and len(server.sio.manager.rooms["/"][None]) == 2)
        return wire, is_checked

    return start


@pytest.mark.parametrize("kind", KINDS)
async def test_row_52_a_forged_message_reaches_nobody(two, connect, unverified, kind):
    server, _ = await two()
    tab = await connect("bob", to=server)
    wire, is_checked = await unverified(server)
    channel, messages = Channel(server, tab), KINDS[kind].values()
    for message in messages:
        await channel.publish(message)
        if message is not EVICTION and not isinstance(message, bytes):
            # in the form of the server's own processes, which alone may ask for an eviction
            await channel.publish({"from": secrets.token_hex(16), "first": 0, "messages": [message]})
    await channel.publish(emit(event="good"))
    assert await asyncio.wait_for(tab.inbox.get(), WAIT_SECONDS) == ("good", "x")
    assert tab.sio.connected
    assert server.members(BOB) == server.members(role_room(PLAIN)) == 1
    assert counted(server, "server_redis_ignored_total") >= len(messages) - len(SILENT & KINDS[kind].keys())
    # the first that the unverified client hears is the answer to its own CONNECT
    is_checked.set()
    assert (await wire.frame()).startswith("40")


async def test_row_52_a_manager_outside_reaches_only_named_rooms(two, connect, shared, unverified):
    server, _ = await two()
    tab = await connect("bob", to=server)
    wire, is_checked = await unverified(server)
    outside = socketio.RedisManager(shared["redis_url"], channel=f"{shared['redis_prefix']}:rooms", write_only=True)

    def send():
        for target in ({}, {"room": None}, {"room": ""}, {"room": []}, {"to": [None]}, {"to": [BOB, ""]}):
            outside.emit(FORGED, {"n": 1}, **target)
        outside.leave_room(tab.sio.get_sid(), "/", BOB)
        outside.enter_room(tab.sio.get_sid(), "/", role_room(PRIVILEGED))
        outside.emit("good", {"n": 1}, room=[BOB])

    await asyncio.to_thread(send)
    assert await asyncio.wait_for(tab.inbox.get(), WAIT_SECONDS) == ("good", {"n": 1})
    assert (server.members(BOB), server.members(role_room(PRIVILEGED))) == (1, 0)
    is_checked.set()
    assert (await wire.frame()).startswith("40")
    outside.redis.close()


async def test_row_52_fails_without_the_check_of_messages(two, connect, unverified, monkeypatch):
    monkeypatch.setattr(client_manager, "is_room_emit", lambda message: True)
    monkeypatch.setattr(delivery_protocol, "named_rooms", lambda target: target)
    if has_part("delivery"):
        from ...delivery import room_manager

        monkeypatch.setattr(room_manager, "named_rooms", lambda target: [target])
    server, _ = await two()
    tab = await connect("bob", to=server)
    wire, _ = await unverified(server)
    await Channel(server, tab).publish(emit(room=None))
    assert (await wire.frame()).startswith(f'42["{FORGED}"')


async def test_an_emit_with_a_binary_part_reaches_its_room(two, connect):
    server, far = await two()
    tab = await connect("bob", to=far)
    await server.sio.emit("bytes", {"data": b"abc"}, room=[BOB])
    assert await tab.receives("bytes") == {"data": b"abc"}


async def test_a_manager_does_not_publish_what_others_refuse(two, connect, until):
    server, far = await two()
    tab = await connect("bob", to=far)
    await until(lambda: counted(far, "server_redis_ignored_total") == 0)
    manager = server.sio.manager
    for step in (
        manager.disconnect("nobody", "/"),
        manager.can_disconnect(tab.sio.get_sid(), "/"),
        manager.enter_room(tab.sio.get_sid(), "/", role_room(PRIVILEGED)),
        manager.leave_room(tab.sio.get_sid(), "/", BOB),
        manager.close_room(BOB, "/"),
    ):
        await step
    await server.sio.emit("good", "x", room=[BOB])
    assert await tab.receives("good") == "x"
    assert counted(far, "server_redis_ignored_total") == 0
    assert (far.members(BOB), far.members(role_room(PRIVILEGED))) == (1, 0)


def test_the_senders_that_are_remembered_are_bounded():
    registry = CollectorRegistry()
    missed = Counter("missed", "missed", registry=registry)
    settings = Settings(redis_url="redis://127.0.0.1:6379/0")
    subscriber = RedisSubscriber("own", "channel", settings, registry, missed, RefusedCommands(registry))
    for number in range(3 * SENDERS):
        subscriber._decode({"data": json.dumps({"from": f"process {number}", "first": 0, "messages": []}).encode()})
        subscriber._decode({"data": json.dumps({"from": "alive", "first": number, "messages": [{}]}).encode()})
    long = {"from": "x" * 100_000, "first": 0, "messages": []}
    assert subscriber._decode({"data": json.dumps(long).encode()}) == []
    assert len(subscriber._expected) == SENDERS
    # one that goes on sending is not forgotten
    assert subscriber._expected["alive"] == 3 * SENDERS
    assert registry.get_sample_value("missed_total") == 0
