"""Tests of frames that no client library sends.

Where such a frame asks for an ack, the server answers it. After a few of them it closes the connection.
"""

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from ...events import RESERVED, ROOM_LEAVE
from ...rooms import role_room, user_room
from ..servers import DELIVERIES
from ..stand_in import LEAVE, LEAVE_TEXT, NOTE_SEND, PRIVILEGED

DEEP = "[" * 20_000
ANSWERED = ["[]", "{}", '"x"', "[1,2]", "[null]", "[[]]", "[{}]", "{bad"]
ANSWERED += [f'["{ROOM_LEAVE}",{{"room":NaN}}]', f'["{ROOM_LEAVE}",{{"room":"\\ud800"}}]', f'["{ROOM_LEAVE}",' + DEEP]
WITHOUT_ACK = ["42", "42" + "1" * 101 + '["x"]', "4", "4x", "49", "44{}", "47[]", "430[]", "43[]", "4311{}"]
WITHOUT_ACK += [
    '451-["x",{"_placeholder":true,"num":0}]',
    f'451-["{ROOM_LEAVE}",{{}}]',
    "4599999999999-[]",
    b"\x00\x01",
]
# not even an Engine.IO message
NO_PACKET = ["", "x", "0", "2", "6", "7", "9", "b!", "\u00b2", "4" + DEEP]


@pytest.fixture
def ana(server, dial):
    """`await ana(to=…)` opens a WebSocket of the user ana.

    It has no client library, and its CONNECT was accepted.
    """

    async def open_wire(*, to=server):
        return await dial(to=to, token=to.token("ana"))

    return open_wire


@pytest.mark.parametrize("data", ANSWERED)
async def test_a_malformed_event_is_answered_where_it_asks_for_an_ack(ana, data):
    wire = await ana()
    await wire.send("427" + data)
    assert (await wire.ack(7))["error"]["code"] == "invalid"


@pytest.mark.row(19)
async def test_ack_id_0_is_answered_like_any_other(ana):
    wire = await ana()
    await wire.send("420" + LEAVE_TEXT)
    assert (await wire.ack(0))["ok"]


async def test_one_malformed_frame_does_not_close_the_connection(ana):
    wire = await ana()
    await wire.send("42{bad")
    await wire.send("427" + LEAVE_TEXT)
    assert (await wire.ack(7))["ok"]


@pytest.mark.parametrize("frame", ["42" + data for data in ANSWERED] + WITHOUT_ACK)
async def test_a_client_is_closed_after_a_few_malformed_frames(server, ana, until, frame):
    wire = await ana()
    for _ in range(server.settings.malformed_frames):
        await wire.send(frame)
    assert await wire.is_closed()
    await until(lambda: server.members(user_room("ana")) == 0, seconds=1)


@pytest.mark.engine
@pytest.mark.parametrize("frame", NO_PACKET)
async def test_a_sender_of_invalid_packets_soon_leaves_its_rooms(server, ana, until, frame):
    wire = await ana()
    for _ in range(server.settings.malformed_frames):
        await wire.send(frame)
    await until(lambda: server.members(user_room("ana")) == 0, seconds=1)


# `4[[[[…` and the like for each type of Engine.IO packet, and JSON that is no Socket.IO packet
UNREADABLE = [kind + DEEP for kind in "012345678b"] + ["4" + '{"a":' * 9000, "4{}", '4"2"', "4null", "4NaN"]


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("frame", UNREADABLE, ids=lambda frame: f"{frame[:6]} of {len(frame)}")
@pytest.mark.parametrize("has_joined", [True, False])
async def test_an_unreadable_packet_leaves_no_traceback(serve, dial, until, caplog, delivery, frame, has_joined):
    server = await serve(delivery=delivery)
    with capture_logs() as logs:
        wire = await dial(to=server, token=server.token("ana") if has_joined else None)
        for _ in range(server.settings.malformed_frames):
            await wire.send(frame)
        await wire.websocket.close()
        await until(lambda: server.application.limits.connections == 0)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert [entry for entry in logs if entry["log_level"] == "error"] == []


@pytest.mark.parametrize("frame", ["4" + DEEP, "4" + '{"a":' * 9000, "4{}", '4"2"'])
async def test_an_unreadable_message_is_counted_as_malformed(server, ana, until, frame):
    wire = await ana()
    for _ in range(server.settings.malformed_frames):
        await wire.send(frame)
    assert await wire.is_closed()
    await until(lambda: server.application.limits.connections == 0)
    counted = server.application.guards.metrics.exposition()
    assert b'server_events_total{event="unknown",outcome="invalid"} 5.0' in counted
    assert b'server_closes_total{reason="malformed"} 1.0' in counted


@pytest.mark.parametrize("kind", ["51-", "61-", "5999999999-"])
async def test_a_binary_packet_is_refused_as_binary(ana, kind):
    wire = await ana()
    await wire.send(f'4{kind}7["{ROOM_LEAVE}",{{"_placeholder":true,"num":0}}]')
    error = (await wire.ack(7))["error"]
    assert error["code"] == "invalid"
    assert "binary" in error["message"]


async def test_a_stock_client_that_sends_bytes_is_told_why_not(connect):
    ana = await connect("ana")
    error = (await ana.ask(ROOM_LEAVE, {"room": b"17"}))["error"]
    assert (error["code"], "binary" in error["message"]) == ("invalid", True)
    assert (await ana.ask(*LEAVE))["ok"]


async def test_a_frame_over_the_limit_closes_its_sender_with_1009(server, ana, until):
    wire = await ana()
    await wire.send(f'42["{NOTE_SEND}",{{"to":"bob","text":"' + "x" * server.settings.max_frame_bytes + '"}]')
    assert await wire.is_closed()
    assert wire.websocket.close_code == 1009
    await until(lambda: server.members(user_room("ana")) == 0, seconds=1)


async def test_other_clients_are_not_affected(server, ana, connect):
    bob, wire = await connect("bob"), await ana()
    for _ in range(server.settings.malformed_frames):
        await wire.send("42{bad")
    assert await wire.is_closed()
    assert (await bob.ask(*LEAVE))["ok"]


@pytest.mark.parametrize("name", sorted(RESERVED))
async def test_an_event_with_a_reserved_name_closes_its_sender(server, ana, until, name):
    wire = await ana()
    await wire.send(f'42["{name}",{{}}]')
    assert await wire.is_closed()
    await until(lambda: server.members(user_room("ana")) == 0, seconds=1)


async def test_an_event_named_disconnect_runs_nothing(server, ana, monkeypatch, until):
    ran = []
    monkeypatch.setattr(server.gateway, "_disconnect", lambda *arguments: ran.append(arguments) or asyncio.sleep(0))
    wire = await ana()
    await wire.send('42["disconnect","canary-7f3a"]')
    assert await wire.is_closed()
    await until(lambda: server.members(user_room("ana")) == 0)
    # once, by the library, when the connection was lost
    assert [reason for _, reason in ran] == ["transport close"]


async def test_an_event_named_connect_admits_nobody(server, ana):
    wire = await ana()
    await wire.send(f'42["connect",{{}},{json.dumps({"token": server.token("ana", PRIVILEGED)})}]')
    assert await wire.is_closed()
    assert server.members(role_room(PRIVILEGED)) == 0


async def test_events_before_connect_run_nothing(server, dial):
    wire = await dial()
    await wire.send("427" + LEAVE_TEXT)
    await wire.send(f'40{{"token":"{server.token("ana")}"}}')
    # no ack was sent before
    assert (await wire.frame()).startswith('40{"sid"')


async def test_a_client_that_leaves_the_namespace_may_join_again(serve, dial, until):
    server = await serve(handshake_seconds=0.5)
    wire = await dial(to=server, token=server.token("ana"))
    await wire.send("41")
    await until(lambda: server.members(user_room("ana")) == 0, seconds=1)
    await wire.send(f'40{{"token":"{server.token("ana")}"}}')
    assert (await wire.frame()).startswith('40{"sid"')
    await wire.send("41")
    assert await wire.is_closed()


@pytest.mark.parametrize("delivery", DELIVERIES)
async def test_a_client_that_joins_again_and_again_is_closed(serve, dial, delivery):
    server = await serve(delivery=delivery)
    wire = await dial(to=server, token=server.token("ana"))
    token = f'40{{"token":"{server.token("ana")}"}}'
    for _ in range(1000):
        await wire.send("41")
        await wire.send(token)
    answers = 0
    while await wire.frame() is not None:
        answers += 1
    assert answers < 300
