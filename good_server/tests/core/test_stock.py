"""The contract on the library's own delivery path (`SERVER_DELIVERY=stock`).

`pytest good_server/tests --delivery stock` runs all the other tests on it too.
"""

import asyncio
import json

import pytest


@pytest.fixture
def delivery():
    return "stock"


async def test_these_tests_run_on_the_librarys_own_path(server):
    assert server.settings.delivery == "stock"
    assert type(server.sio.manager).__module__.startswith("socketio.")
    assert type(server.sio.eio.create_queue()) is asyncio.Queue


@pytest.mark.parametrize(
    ("event", "payload", "code"),
    [
        ("no:such", {}, "unknown_event"),
        ("chat:send", {"to": "bob"}, "invalid"),
        ("chat:send", {"room": "job:17", "text": "x"}, "forbidden"),
        ("system:announce", {"text": "x", "level": "info"}, "forbidden"),
    ],
)
async def test_what_is_not_served_is_answered_with_its_code(connect, event, payload, code):
    tab = await connect("ana")
    assert await tab.code(event, payload) == code


async def test_a_topic_room_is_left_and_joined_again(server, connect):
    tab = await connect("ana", rooms=["job:17"])
    assert (await tab.ask("room:leave", {"room": "job:17"}))["ok"]
    assert server.members("job:17") == 0
    assert (await tab.ask("room:join", {"room": "job:17"}))["ok"]
    assert server.members("job:17") == 1


async def test_one_event_too_many_gets_retry_after(serve, connect):
    server = await serve(chat_per_second=1, burst_seconds=1)
    tab = await connect("ana", to=server)
    await tab.ask("chat:send", {"to": "bob", "text": "x"})
    refused = await tab.ask("chat:send", {"to": "bob", "text": "x"})
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
        await wire.send(f'42{number}["room:leave",{{"room":"job:17"}}]')
    frames = [await wire.frame() for _ in range(20)]
    assert [frame.partition("[")[0] for frame in frames] == [f"43{number}" for number in range(20)]


async def test_malformed_events_are_answered_then_their_sender_closed(server, dial, until):
    wire = await dial(token=server.token("ana"))
    for _ in range(server.settings.malformed_frames):
        await wire.send("427{bad")
    assert (await wire.ack(7))["error"]["code"] == "invalid"
    assert await wire.is_closed()
    await until(lambda: server.members("user:ana") == 0, seconds=1)


async def test_a_frame_over_the_limit_closes_its_sender(server, dial, until):
    wire = await dial(token=server.token("ana"))
    await wire.send("42" + "x" * server.settings.max_frame_bytes)
    assert await wire.is_closed()
    assert wire.websocket.close_code == 1009
    await until(lambda: server.members("user:ana") == 0)


async def test_compression_is_not_negotiated(dial):
    wire = await dial(compress=15)
    assert not wire.websocket.compress


async def test_who_leaves_is_in_no_room(server, dial, until):
    wire = await dial(token=server.token("ana", rooms=["job:17"]))
    await wire.websocket.close()
    await until(lambda: not [room for room in ("user:ana", "role:vendor", "job:17") if server.members(room)])


async def test_a_server_that_ends_says_when_to_reconnect(server, connect):
    tab = await connect("ana")
    server.stop.set()
    assert (await tab.hears("server:closing"))["retry_in"] > 0
    assert await tab.is_closed()
