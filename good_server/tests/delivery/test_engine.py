"""Tests that the delivery engine reads the frames that RFC 6455 allows.

Any other frame closes the connection with the close code of the RFC.
"""

import asyncio
import itertools
from contextlib import suppress
from types import SimpleNamespace

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from ... import closing
from ...delivery.connection import BACKLOG_BYTES, Connection
from ...delivery.heartbeats import Heartbeats
from ...events import ROOM_LEAVE
from ...rooms import user_room
from ..stand_in import topic
from ..wire import ACCEPT, UPGRADE, UPGRADE_HEADERS, address_of, client_frame, event_text

MOST_BYTES = 1000
TEXT, BINARY, PING, PONG, CLOSE = 0x81, 0x82, 0x89, 0x8A, 0x88


def masked(head, payload, *, announced=None):
    """Return a masked WebSocket frame whose first byte is `head`."""
    return client_frame(payload, kind=head, fin=False, announced=announced, key=b"\x12\x34\x56\x78")


class Peer:
    """The transport and the send queue of a `Connection`. `sent` has what the connection wrote."""

    def __init__(self):
        self.sent, self.is_closed, self.is_reading = b"", False, True

    def get_extra_info(self, name):
        return None

    def get_protocol(self):
        return self

    def set_protocol(self, connection):
        self.connection = connection

    def connection_lost(self, error):
        pass

    def open(self, transport, first_bytes):
        pass

    def write(self, data):
        self.sent += data

    def flush(self):
        pass

    def pause_reading(self):
        self.is_reading = False

    def resume_reading(self):
        self.is_reading = True

    def get_write_buffer_size(self):
        return 0

    def close(self):
        self.is_closed = True

    abort = close

    def is_closing(self):
        return self.is_closed

    def frames(self):
        """Return first byte and payload of each short frame that was sent."""
        found, at = [], 0
        while at < len(self.sent):
            end = at + 2 + self.sent[at + 1]
            found.append((self.sent[at], self.sent[at + 2 : end]))
            at = end
        return found


def opened(max_bytes=MOST_BYTES):
    """Return a connection with an accepted handshake, and its peer."""
    peer = Peer()
    connection = Connection(make_mocked_request("GET", "/", headers=UPGRADE_HEADERS, transport=peer), max_bytes)
    connection.open(peer, b"")
    return connection, peer


async def read_all(connection, data=b""):
    """Return the messages in `data`."""
    connection.data_received(data)
    messages = []
    with suppress(TimeoutError):
        async with asyncio.timeout(0):
            while (message := await connection.receive()) is not None:
                messages.append(message)
    return messages


def fragments(kind, payload, cuts):
    """Yield the frames of one message, split at the positions `cuts`."""
    edges = [0, *sorted(cut % (len(payload) + 1) for cut in cuts), len(payload)]
    pieces = [payload[start:end] for start, end in itertools.pairwise(edges)]
    for number, piece in enumerate(pieces):
        head = (kind & 0xF if number == 0 else 0) | (0x80 if number == len(pieces) - 1 else 0)
        yield masked(head, piece)


MESSAGES = st.lists(
    st.tuples(st.just(TEXT), st.text(max_size=200).map(str.encode), st.lists(st.integers(0, 999), max_size=3))
    | st.tuples(st.just(BINARY), st.binary(max_size=300), st.lists(st.integers(0, 999), max_size=3))
    | st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125), st.just([])),
    max_size=8,
)


@given(MESSAGES, st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_fragmented_messages_are_read_whole_and_in_order(messages, steps):
    data = b"".join(frame for kind, payload, cuts in messages for frame in fragments(kind, payload, cuts))

    async def read():
        connection, _ = opened()
        found, at, step = [], 0, 0
        while at < len(data):
            size = steps[step % len(steps)]
            found += await read_all(connection, data[at : at + size])
            at, step = at + size, step + 1
        return found

    expected = [data.decode() if kind == TEXT else data for kind, data, _ in messages if kind in (TEXT, BINARY)]
    assert asyncio.run(read()) == expected


async def test_a_ping_between_fragments_is_answered():
    connection, peer = opened()
    assert await read_all(connection, masked(0x01, b"a") + masked(PING, b"p") + masked(0x80, b"b")) == ["ab"]
    assert peer.frames() == [(PONG, b"p")]


async def test_only_the_latest_of_many_pings_is_answered():
    connection, peer = opened()
    await read_all(connection, b"".join(masked(PING, b"%d" % number) for number in range(50)))
    # one pong for all pings that are parsed together
    assert 1 <= len(peer.frames()) <= 3
    assert peer.frames()[-1] == (PONG, b"49")


BROKEN = {
    "not masked": (b"\x81\x01x", 1002),
    "a reserved bit": (masked(0xC1, b"x"), 1002),
    "a reserved kind": (masked(0x83, b"x"), 1002),
    "a reserved control kind": (masked(0x8B, b"x"), 1002),
    "a ping in fragments": (masked(0x09, b"x"), 1002),
    "a long ping": (masked(PING, b"x" * 126), 1002),
    "a continuation of nothing": (masked(0x80, b"x"), 1002),
    "a message inside another": (masked(0x01, b"x") + masked(TEXT, b"y"), 1002),
    "no UTF-8": (masked(TEXT, b"\xff"), 1007),
    "a lone surrogate": (masked(TEXT, b"\xed\xa0\x80"), 1007),
    "too big, announced only": (masked(TEXT, b"", announced=MOST_BYTES + 1), 1009),
    "2^63 bytes announced": (masked(BINARY, b"", announced=(1 << 64) - 1), 1009),
    "fragments that are too big together": (masked(0x01, b"x" * 600) + masked(0x80, b"x" * 600), 1009),
    "a close frame of one byte": (masked(CLOSE, b"\x03"), 1002),
    "a close frame without a reason that is UTF-8": (masked(CLOSE, b"\x03\xe8\xff"), 1007),
    "a close code that no peer may send": (masked(CLOSE, (1006).to_bytes(2, "big")), 1002),
    "a reserved close code": (masked(CLOSE, (2999).to_bytes(2, "big")), 1002),
}


@pytest.mark.parametrize("broken", BROKEN)
async def test_frames_before_a_protocol_error_are_still_read(broken):
    data, code = BROKEN[broken]
    connection, peer = opened()
    assert await read_all(connection, masked(TEXT, b"before") + data) == ["before"]
    ((kind, payload),) = peer.frames()
    assert (kind, int.from_bytes(payload[:2], "big"), peer.is_closed) == (CLOSE, code, True)


async def test_nothing_is_read_after_a_close_frame():
    connection, peer = opened()
    close = masked(CLOSE, (1000).to_bytes(2, "big"))
    assert await read_all(connection, masked(TEXT, b"before") + close + masked(TEXT, b"after")) == ["before"]
    assert peer.frames() == [(CLOSE, (1000).to_bytes(2, "big"))]
    assert await read_all(connection, masked(TEXT, b"later")) == []


FLOODS = {
    "pings": masked(PING, b""),
    "pongs": masked(PONG, b""),
    "fragments": masked(0x00, b""),
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_of_frames_that_carry_nothing_ends(flood):
    connection, peer = opened()
    first = masked(0x01, b"a") if flood == "fragments" else b""
    assert await read_all(connection, first + 20_000 * FLOODS[flood]) == []
    kind, payload = peer.frames()[-1]
    assert (kind, payload[:2], peer.is_closed) == (CLOSE, (1008).to_bytes(2, "big"), True)


async def test_reading_pauses_before_the_reader_runs():
    connection, peer = opened(max_bytes=1 << 20)
    for _ in range(20):
        connection.data_received(bytes(BACKLOG_BYTES // 16))
    assert not peer.is_reading


async def raw_socket(server):
    """Open a WebSocket whose bytes the test reads and writes itself."""
    reader, writer = await asyncio.open_connection(*address_of(server.url))
    writer.write(UPGRADE.encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert ACCEPT in head
    return reader, writer


async def next_frame(reader):
    head, size = await reader.readexactly(2)
    size = int.from_bytes(await reader.readexactly(2), "big") if size == 126 else size
    return head, await reader.readexactly(size)


async def frame_of(reader, kind):
    async with asyncio.timeout(5):
        while (frame := await next_frame(reader))[0] != kind:
            pass
    return frame[1]


@pytest.mark.engine
@pytest.mark.parametrize(("sent", "code"), [(b"\x81\x01x", 1002), (masked(0x81, b"\xff"), 1007)])
async def test_a_broken_frame_is_answered_with_its_close_code(server, sent, code):
    reader, writer = await raw_socket(server)
    writer.write(sent)
    assert (await frame_of(reader, CLOSE))[:2] == code.to_bytes(2, "big")
    # this client does not answer the close frame
    async with asyncio.timeout(closing.LINGER_SECONDS / 2):
        assert await reader.read() == b""
    writer.close()


async def test_a_ping_is_answered_with_its_payload(server):
    reader, writer = await raw_socket(server)
    writer.write(masked(0x89, b"are you there"))
    assert await frame_of(reader, 0x8A) == b"are you there"
    writer.close()


@pytest.mark.engine
async def test_a_close_is_answered_and_ends_the_connection_at_once(server):
    reader, writer = await raw_socket(server)
    writer.write(masked(0x88, (1000).to_bytes(2, "big")))
    assert await frame_of(reader, 0x88) == (1000).to_bytes(2, "big")
    async with asyncio.timeout(0.9):
        assert await reader.read() == b""
    writer.close()


@pytest.mark.engine
@pytest.mark.parametrize(
    "change", [("13", "12"), ("dGhlIHNhbXBsZSBub25jZQ==", "short"), ("Upgrade: websocket", "Upgrade: h2c")]
)
async def test_what_is_no_handshake_is_a_bad_request(server, change):
    reader, writer = await asyncio.open_connection(*address_of(server.url))
    writer.write(UPGRADE.replace(*change).encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
    writer.close()


class Pinged:
    """A client of `Heartbeats` that answers only its first pings. `answers` is the number of these pings."""

    def __init__(self, heartbeats, answers):
        self.heartbeats, self.answers, self.pings = heartbeats, answers, 0
        self.closed = asyncio.get_running_loop().create_future()
        self.queue = self
        self.server = SimpleNamespace(reason=SimpleNamespace(PING_TIMEOUT="ping timeout"))

    def write(self, data):
        assert data == b"\x81\x012"
        self.pings += 1
        if self.pings <= self.answers:
            asyncio.get_running_loop().call_soon(self.heartbeats.record_pong, self)

    async def close(self, *, wait, abort, reason):
        assert (wait, abort) == (False, False)
        self.closed.set_result(reason)


@pytest.mark.parametrize(("interval", "timeout"), [(0.01, 0.3), (0.3, 0.01)])
async def test_a_silent_peer_is_closed_and_others_are_pinged_again(interval, timeout):
    heartbeats, loop = Heartbeats(interval, timeout), asyncio.get_running_loop()
    began, peers = loop.time(), [Pinged(heartbeats, answers) for answers in (0, 2)]
    for peer in peers:
        heartbeats.add(peer)
    async with asyncio.timeout(5):
        assert [await peer.closed for peer in peers] == ["ping timeout"] * 2
    assert [peer.pings for peer in peers] == [1, 3]
    assert loop.time() - began >= 3 * interval + timeout


async def test_peers_that_connected_together_are_pinged_in_turns():
    heartbeats, loop = Heartbeats(0.05, 5), asyncio.get_running_loop()
    peers, pinged_in_turn = [Pinged(heartbeats, 0) for _ in range(200)], []
    for peer in peers:
        heartbeats.add(peer)
    while not all(peer.pings for peer in peers):
        before, turn = sum(peer.pings for peer in peers), loop.create_future()
        loop.call_later(0.001, turn.set_result, None)
        await asyncio.wait_for(turn, 5)
        pinged_in_turn.append(sum(peer.pings for peer in peers) - before)
    # each of them once; never all in one turn of the event loop
    assert [peer.pings for peer in peers] == [1] * 200
    assert sum(count > 0 for count in pinged_in_turn) > 2


async def test_a_removed_peer_is_neither_pinged_nor_closed():
    heartbeats = Heartbeats(0.01, 0.01)
    gone, silent = Pinged(heartbeats, 0), Pinged(heartbeats, 0)
    heartbeats.add(gone)
    heartbeats.add(silent)
    heartbeats.remove(gone)
    async with asyncio.timeout(5):
        await silent.closed
    assert (gone.pings, gone.closed.done()) == (0, False)


async def test_only_a_client_that_answers_no_ping_is_closed(serve, dial, connect, until):
    server = await serve(ping_interval_seconds=1, ping_timeout_seconds=0.3)
    await dial(to=server, token=server.token("silent"))
    await connect("ana", to=server)
    await until(lambda: not server.members(user_room("silent")), seconds=3)
    assert server.members(user_room("ana")) == 1


@pytest.mark.engine
async def test_a_slow_handler_applies_backpressure_to_its_client(serve, dial):
    server = await serve(events_per_second=1e6, handler_seconds=60)
    gate, seen, original = asyncio.Event(), [], server.gateway.trigger_event

    async def slow(event, *arguments):
        if event == "slow":
            seen.append(arguments[1]["n"])
            await gate.wait()
        return await original(event, *arguments)

    server.gateway.trigger_event = slow
    wire = await dial(to=server, token=server.token("ana"))
    sending = asyncio.create_task(send_many(wire, 200))
    other = await dial(to=server, token=server.token("bob"))
    await other.send(event_text(ROOM_LEAVE, {"room": topic("1")}, id=7))
    assert (await other.ack(7))["ok"]
    # 200 times 60,000 bytes do not fit into the buffers of server and kernel: the client has to wait
    assert seen == [0]
    assert not sending.done()
    gate.set()
    await wire.ack(199)
    await sending
    assert seen == list(range(200))


async def send_many(wire, count):
    for number in range(count):
        await wire.send(f'42{number}["slow",{{"n":{number},"text":"{"x" * 60_000}"}}]')
