"""Load generator for the measurements of the notebook `12_scaling_out`.

The load generator runs in its own process. It counts the bytes that it receives, and measures the CPU time of the
server processes, of Redis and of itself.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lab.bench import wire
from lab.bench.crowd import Crowd, LoadError, Member
from lab.scaling.resource_meter import ResourceMeter, ResourceUse, ServerAddress

BURST_MESSAGES = 20
WARM_UP_BURSTS = 2
# this many bursts are queued while one is delivered, so that no server process is idle
BURSTS_AHEAD = 40
# longer than a server collects messages for a batched write
PAUSE_SECONDS = 0.02
TEXT_LETTERS = 80
# long, because a busy machine slows the load down and does not change its CPU costs
STEP_SECONDS = 60.0
READ_BYTES = 256 * 1024


class ByteCounter:
    """Counts the bytes that all `Reader` objects together receive.

    A `Reader` is the asyncio protocol of one client.
    """

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(READ_BYTES))
        self.received = 0
        self._expected = 0
        self._reached: asyncio.Future[None] | None = None

    def add(self, count: int) -> None:
        """Adds `count` bytes to the number of received bytes."""
        self.received += count
        if self._reached is not None and self.received >= self._expected and not self._reached.done():
            self._reached.set_result(None)

    async def wait_for(self, expected: int) -> None:
        """Waits until all readers together have received `expected` bytes.

        The bytes are counted from the creation of this `ByteCounter`. Raises `LoadError` after `STEP_SECONDS` seconds.
        """
        if self.received >= expected:
            return
        self._expected, self._reached = expected, asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(STEP_SECONDS):
                await self._reached
        except TimeoutError:
            missing = expected - self.received
            raise LoadError(f"{missing:,} bytes did not arrive within {STEP_SECONDS:.0f} s") from None


class Reader(asyncio.BufferedProtocol):
    """An asyncio protocol that counts the bytes that one client receives.

    All readers share one buffer, because the content is not used.
    """

    def __init__(self, counter: ByteCounter) -> None:
        self._counter = counter

    def get_buffer(self, sizehint: int) -> memoryview:
        """Returns the buffer into which asyncio writes the next received bytes."""
        return self._counter.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Counts the `nbytes` bytes that asyncio has just received."""
        self._counter.add(nbytes)


@dataclass(frozen=True)
class Load:
    """A coroutine function that puts load on a server, with its arguments."""

    run: Callable[..., Awaitable[Any]]
    arguments: tuple[Any, ...]


async def in_turn(loads: Sequence[Load]) -> list[Any]:
    """Runs loads one after the other, and returns their results.

    A load is a coroutine function that puts load on a server. So one process, which is started only once, can run
    several loads.
    """
    return [await load.run(*load.arguments) for load in loads]


async def fan_out(address: ServerAddress, members: int, seconds: float) -> ResourceUse:
    """Measures CPU time and bytes that message bursts to a room use.

    A burst is `BURST_MESSAGES` messages that one client sends at once. The room has `members` clients, spread evenly
    over the server processes. Bursts are sent for `seconds` seconds. The `count` of the result is the number of
    deliveries: each message counts once for each client that receives it.
    """
    wire.SECRET = address.secret
    per_process = members // len(address.ports)
    crowds = [await connected_crowd(port, per_process, f"member{n}") for n, port in enumerate(address.ports)]
    senders = [await connected_crowd(port, 1, f"sender{n}") for n, port in enumerate(address.ports)]
    counter, readers = ByteCounter(), [member for crowd in crowds for member in crowd.members]
    next_sender = itertools.cycle(sender.members[0] for sender in senders)
    delivery_bytes = await _measure_delivery_bytes(next(next_sender), crowds)
    for reader in readers:
        if reader.transport is not None:
            reader.transport.set_protocol(Reader(counter))
    deliveries_per_burst = BURST_MESSAGES * len(readers)
    burst_bytes = deliveries_per_burst * delivery_bytes
    for _ in range(WARM_UP_BURSTS):
        next(next_sender).write(_burst())
        await counter.wait_for(counter.received + burst_bytes)
    bytes_before, bursts = counter.received, 0
    async with ResourceMeter(address) as meter:
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            next(next_sender).write(_burst())
            bursts += 1
            await counter.wait_for(bytes_before + (bursts - BURSTS_AHEAD + 1) * burst_bytes)
        await counter.wait_for(bytes_before + bursts * burst_bytes)
    if counter.received != bytes_before + bursts * burst_bytes:
        raise LoadError("more bytes arrived than were sent")
    for crowd in (*crowds, *senders):
        crowd.leave()
    return replace(meter.use_of(bursts * deliveries_per_burst), bytes_each=delivery_bytes)


def _burst() -> bytes:
    frames = (wire.chat_frame("x" * TEXT_LETTERS, room=wire.ROOM, ack=ack_id) for ack_id in range(BURST_MESSAGES))
    return b"".join(frames)


async def connected_crowd(port: int, count: int, name: str) -> Crowd:
    """Returns `count` clients that are connected to `port`. Each is a user whose name begins with `name`."""
    crowd = Crowd(port)
    await crowd.join(count, name=name)
    return crowd


async def _measure_delivery_bytes(sender: Member, crowds: Sequence[Crowd]) -> int:
    """Returns the size of one delivered message, in bytes.

    `crowds` are the clients in the room. `sender` sends one message to the room while there is no other traffic. The
    function counts the bytes that one client receives.
    """
    counting_member, counter = crowds[0].members[0], ByteCounter()
    if counting_member.transport is not None:
        counting_member.transport.set_protocol(Reader(counter))
    for place, crowd in enumerate(crowds):
        crowd.counter.expect(len(crowd.members) - (place == 0))
    sender.write(wire.chat_frame("x" * TEXT_LETTERS, room=wire.ROOM, ack=0))
    for crowd in crowds:
        await crowd.counter.wait_for_all(STEP_SECONDS)
    await counter.wait_for(1)
    return counter.received


async def requests(address: ServerAddress, count: int, in_flight: int, fields: dict[str, Any]) -> ResourceUse:
    """Measures the CPU time and bytes that `count` chat requests use.

    Each request asks for an ack. All requests go to the first process of the server. `in_flight` users each send one
    request at a time. `fields` are added to each request, such as `{"to": …}`. If `fields` has a value for `id`, each
    request gets a different message id instead of this value.
    """
    wire.SECRET = address.secret
    crowd = await connected_crowd(address.ports[0], in_flight, "asker")
    requester = _Requester(crowd.members, fields)
    await requester.run(count // 4)
    async with ResourceMeter(address) as meter:
        await requester.run(count)
    crowd.leave()
    return meter.use_of(count)


class _Requester:
    def __init__(self, members: Sequence[Member], fields: dict[str, Any]) -> None:
        self._members, self._fields = members, fields
        self._ack_ids = itertools.count()
        self._unanswered = self._to_send = 0
        self._done: asyncio.Future[None] | None = None

    async def run(self, count: int) -> None:
        self._unanswered = self._to_send = count
        self._done = asyncio.get_running_loop().create_future()
        for member in self._members:
            member.on_ack = self._on_ack
            self._send(member)
        async with asyncio.timeout(STEP_SECONDS):
            await self._done

    def _send(self, member: Member) -> None:
        if self._to_send <= 0:
            return
        self._to_send -= 1
        ack_id = next(self._ack_ids)
        message = {"text": "x" * TEXT_LETTERS, **self._fields}
        if message.get("id"):
            message["id"] = f"{ack_id}-{time.monotonic_ns()}"
        member.write(wire.event_frame("chat:send", message, ack=ack_id))

    def _on_ack(self, member: Member) -> None:
        self._unanswered -= 1
        if self._unanswered == 0 and self._done is not None:
            self._done.set_result(None)
        self._send(member)


async def latencies(address: ServerAddress, count: int) -> dict[str, list[float]]:
    """Measures the seconds between sending and receiving a message.

    Returns two lists of `count` latencies: `same process` if sender and recipient are on the same process, and `other
    process` if they are not.
    """
    wire.SECRET = address.secret
    sender = await connected_crowd(address.ports[0], 1, "sender")
    same, other = [await connected_crowd(port, 1, f"reader{n}") for n, port in enumerate(address.ports)]
    measured: dict[str, list[float]] = {"same process": [], "other process": []}
    for number in range(count):
        for crowd, user, name in ((same, "reader0-0", "same process"), (other, "reader1-0", "other process")):
            crowd.counter.latencies = measured[name]
            crowd.counter.expect(1)
            sender.members[0].write(wire.chat_frame("x" * TEXT_LETTERS, to=user, ack=number))
            await crowd.counter.wait_for_all(STEP_SECONDS)
            await asyncio.sleep(PAUSE_SECONDS)
    for crowd in (sender, same, other):
        crowd.leave()
    return measured
