"""Tests that the delivery engine reads the frames that RFC 6455 allows.

Any other frame closes the connection with the close code of the RFC.
"""

import asyncio
import itertools
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ...delivery import connection
from ...delivery import frame_reader as reading
from ...delivery.frame_reader import FrameError, FrameReader
from ...delivery.heartbeats import Heartbeats
from ...events import ROOM_LEAVE
from ...rooms import user_room
from ..stand_in import topic
from ..wire import ACCEPT, UPGRADE, address_of, client_frame, event_text

MOST_BYTES = 1000


def masked(head, payload, *, announced=None):
    """Return a masked WebSocket frame whose first byte is `head`."""
    return client_frame(payload, kind=head, fin=False, announced=announced, key=b"\x12\x34\x56\x78")


def read_all(reader):
    messages = []
    while (message := reader.next()) is not None:
        messages.append((message.kind, message.data))
    return messages


def fragments(kind, payload, cuts):
    """Yield the frames of one message, split at the positions `cuts`."""
    edges = [0, *sorted(cut % (len(payload) + 1) for cut in cuts), len(payload)]
    pieces = [payload[start:end] for start, end in itertools.pairwise(edges)]
    for number, piece in enumerate(pieces):
        head = (kind if number == 0 else 0) | (0x80 if number == len(pieces) - 1 else 0)
        yield masked(head, piece)


MESSAGES = st.lists(
    st.tuples(st.just(reading.TEXT), st.text(max_size=200).map(str.encode), st.lists(st.integers(0, 999), max_size=3))
    | st.tuples(st.just(reading.BINARY), st.binary(max_size=300), st.lists(st.integers(0, 999), max_size=3))
    | st.tuples(st.sampled_from([reading.PING, reading.PONG]), st.binary(max_size=125), st.just([])),
    max_size=8,
)


@given(MESSAGES, st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_fragmented_messages_are_read_whole_and_in_order(messages, steps):
    data = b"".join(frame for kind, payload, cuts in messages for frame in fragments(kind, payload, cuts))
    reader, read, at, step = FrameReader(MOST_BYTES), [], 0, 0
    while at < len(data):
        reader.feed(data[at : at + steps[step % len(steps)]])
        at, step = at + steps[step % len(steps)], step + 1
        read += read_all(reader)
    assert read == [(kind, data.decode() if kind == reading.TEXT else data) for kind, data, _ in messages]
    assert reader.waiting_bytes == 0


def test_a_ping_between_fragments_comes_first():
    reader = FrameReader(MOST_BYTES)
    for frame in (masked(0x01, b"a"), masked(0x89, b"p"), masked(0x80, b"b")):
        reader.feed(frame)
    assert read_all(reader) == [(reading.PING, b"p"), (reading.TEXT, "ab")]


BROKEN = {
    "not masked": (b"\x81\x01x", 1002),
    "a reserved bit": (masked(0xC1, b"x"), 1002),
    "a reserved kind": (masked(0x83, b"x"), 1002),
    "a reserved control kind": (masked(0x8B, b"x"), 1002),
    "a ping in fragments": (masked(0x09, b"x"), 1002),
    "a long ping": (masked(0x89, b"x" * 126), 1002),
    "a continuation of nothing": (masked(0x80, b"x"), 1002),
    "a message inside another": (masked(0x01, b"x") + masked(0x81, b"y"), 1002),
    "no UTF-8": (masked(0x81, b"\xff"), 1007),
    "a lone surrogate": (masked(0x81, b"\xed\xa0\x80"), 1007),
    "too big, announced only": (masked(0x81, b"", announced=MOST_BYTES + 1), 1009),
    "2^63 bytes announced": (masked(0x82, b"", announced=(1 << 64) - 1), 1009),
    "fragments that are too big together": (masked(0x01, b"x" * 600) + masked(0x80, b"x" * 600), 1009),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_frames_before_a_protocol_error_are_still_read(broken):
    data, code = BROKEN[broken]
    reader = FrameReader(MOST_BYTES)
    reader.feed(masked(0x81, b"before") + data)
    assert reader.next() == (reading.TEXT, "before")
    with pytest.raises(FrameError) as error:
        reader.next()
    assert error.value.code == code


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
async def test_a_broken_frame_is_answered_with_its_close_code(server, monkeypatch, sent, code):
    # this client does not answer the close frame
    monkeypatch.setattr(connection, "CLOSE_SECONDS", 0.1)
    reader, writer = await raw_socket(server)
    writer.write(sent)
    assert await frame_of(reader, 0x88) == code.to_bytes(2, "big")
    async with asyncio.timeout(5):
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


class Peer:
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
    began, peers = loop.time(), [Peer(heartbeats, answers) for answers in (0, 2)]
    for peer in peers:
        heartbeats.add(peer)
    async with asyncio.timeout(5):
        assert [await peer.closed for peer in peers] == ["ping timeout"] * 2
    assert [peer.pings for peer in peers] == [1, 3]
    assert loop.time() - began >= 3 * interval + timeout


async def test_a_removed_peer_is_neither_pinged_nor_closed():
    heartbeats = Heartbeats(0.01, 0.01)
    gone, silent = Peer(heartbeats, 0), Peer(heartbeats, 0)
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
