"""Tests of the server with the library's own delivery path.

Its setting is `SERVER_DELIVERY=stock`. `pytest good_server/tests --delivery stock` runs all the other tests with it
too.
"""

import asyncio
import json

import pytest

from ...events import ROOM_JOIN, SERVER_CLOSING
from ...rooms import role_room, user_room
from ..stand_in import LEAVE, LEAVE_TEXT, NOTE_SEND, NOTES_PER_SECOND, NOTICE_PUBLISH, PLAIN, topic


@pytest.fixture
def delivery():
    return "stock"


async def test_these_tests_run_on_the_librarys_own_path(server):
    assert server.settings.delivery == "stock"
    # only its emit is ours, which refuses an emit without a room
    manager = type(server.sio.manager)
    assert {name for name in vars(manager) if not name.startswith("__")} == {"emit"}
    assert manager.__base__.__module__.startswith("socketio.")
    assert type(server.sio.eio.create_queue()) is asyncio.Queue


@pytest.mark.parametrize(
    ("event", "payload", "code"),
    [
        ("no:such", {}, "unknown_event"),
        (NOTE_SEND, {"to": "bob"}, "invalid"),
        (NOTE_SEND, {"room": topic("17"), "text": "x"}, "forbidden"),
        (NOTICE_PUBLISH, {"text": "x"}, "forbidden"),
    ],
)
async def test_a_refused_event_is_answered_with_its_code(connect, event, payload, code):
    tab = await connect("ana")
    assert await tab.code(event, payload) == code


async def test_a_topic_room_is_left_and_joined_again(server, connect):
    tab = await connect("ana", rooms=[topic("17")])
    assert (await tab.ask(*LEAVE))["ok"]
    assert server.members(topic("17")) == 0
    assert (await tab.ask(ROOM_JOIN, {"room": topic("17")}))["ok"]
    assert server.members(topic("17")) == 1


async def test_an_event_over_the_rate_limit_gets_retry_after(serve, connect):
    server = await serve(**{NOTES_PER_SECOND: 1}, burst_seconds=1)
    tab = await connect("ana", to=server)
    await tab.ask(NOTE_SEND, {"to": "bob", "text": "x"})
    refused = await tab.ask(NOTE_SEND, {"to": "bob", "text": "x"})
    assert refused["error"]["code"] == "rate_limited"
    assert 0 < refused["error"]["retry_after"] <= 1


async def test_a_bad_token_is_refused_and_the_transport_closed(dial):
    wire = await dial()
    await wire.send('40{"token":"none"}')
    assert json.loads((await wire.frame()).removeprefix("44"))["data"]["code"] == "unauthorized"
    assert await wire.is_closed()


async def test_one_clients_events_are_answered_in_order(server, dial):
    wire = await dial(token=server.token("ana"))
    for number in range(20):
        await wire.send(f"42{number}{LEAVE_TEXT}")
    frames = [await wire.frame() for _ in range(20)]
    assert [frame.partition("[")[0] for frame in frames] == [f"43{number}" for number in range(20)]


async def test_malformed_events_are_answered_then_their_sender_closed(server, dial, until):
    wire = await dial(token=server.token("ana"))
    for _ in range(server.settings.malformed_frames):
        await wire.send("427{bad")
    assert (await wire.ack(7))["error"]["code"] == "invalid"
    assert await wire.is_closed()
    await until(lambda: server.members(user_room("ana")) == 0, seconds=1)


async def test_a_frame_over_the_limit_closes_its_sender(server, dial, until):
    wire = await dial(token=server.token("ana"))
    await wire.send("42" + "x" * server.settings.max_frame_bytes)
    assert await wire.is_closed()
    assert wire.websocket.close_code == 1009
    await until(lambda: server.members(user_room("ana")) == 0)


async def test_compression_is_not_negotiated(dial):
    wire = await dial(compress=15)
    assert not wire.websocket.compress


async def test_a_socket_that_disconnects_is_in_no_room(server, dial, until):
    wire = await dial(token=server.token("ana", rooms=[topic("17")]))
    await wire.websocket.close()
    rooms = (user_room("ana"), role_room(PLAIN), topic("17"))
    await until(lambda: not any(server.members(room) for room in rooms))


async def test_a_server_that_ends_sends_the_reconnect_time(server, connect):
    tab = await connect("ana")
    server.stop.set()
    assert (await tab.receives(SERVER_CLOSING))["retry_in"] > 0
    assert await tab.is_closed()
