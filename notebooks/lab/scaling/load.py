"""Load of lesson 12: runs in its own process, counts bytes, and reads every process's CPU."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from typing import Any

import aiohttp

from lab.bench import wire
from lab.bench.crowd import Crowd, LoadError, Member
from lab.scaling.resource_meter import ResourceMeter, ResourceUse, ServerAddress
from lab.servers.probe_client import ProbeClient

BURST = 20
WARM_UP_BURSTS = 2
# so much waits at the servers while a burst is delivered, so that none of them rests
BURSTS_AHEAD = 40
# longer than a connection that was written to gathers what comes next
REST_SECONDS = 0.02
TEXT_LETTERS = 80
STEP_SECONDS = 20.0
READ_BYTES = 256 * 1024


class ByteCounter:
    """Bytes that have come to all readers, and who waits for so many."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(READ_BYTES))
        self.came = 0
        self._wanted = 0
        self._reached: asyncio.Future[None] | None = None

    def add(self, count: int) -> None:
        """So many more."""
        self.came += count
        if self._reached is not None and self.came >= self._wanted and not self._reached.done():
            self._reached.set_result(None)

    async def reach(self, wanted: int) -> None:
        """Waits until so many have come in all; raises `LoadError`."""
        if self.came >= wanted:
            return
        self._wanted, self._reached = wanted, asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(STEP_SECONDS):
                await self._reached
        except TimeoutError:
            raise LoadError(f"{wanted - self.came:,} bytes had not come after {STEP_SECONDS:.0f} s") from None


class Reader(asyncio.BufferedProtocol):
    """A member that is let in and reads: into one buffer for all, as nobody looks at what came."""

    def __init__(self, total: ByteCounter) -> None:
        self._total = total

    def get_buffer(self, sizehint: int) -> memoryview:
        """The buffer for the next bytes."""
        return self._total.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """So many came."""
        self._total.add(nbytes)


async def fan_out(where: ServerAddress, members: int, seconds: float) -> ResourceUse:
    """Bursts to one room of so many members, spread evenly over the processes; counts deliveries."""
    wire.SECRET = where.secret
    crowds = [await _joined(port, members // len(where.ports), f"member{n}") for n, port in enumerate(where.ports)]
    talkers = [await _joined(port, 1, f"talker{n}") for n, port in enumerate(where.ports)]
    total, readers = ByteCounter(), [member for crowd in crowds for member in crowd.members]
    says = itertools.cycle(talker.members[0] for talker in talkers)
    length = await _length_of_one(next(says), crowds)
    for reader in readers:
        if reader.transport is not None:
            reader.transport.set_protocol(Reader(total))
    each = BURST * len(readers)
    for _ in range(WARM_UP_BURSTS):
        next(says).write(_burst())
        await total.reach(total.came + each * length)
    started, sent = total.came, 0
    async with ResourceMeter(where) as meter:
        ends = time.perf_counter() + seconds
        while time.perf_counter() < ends:
            next(says).write(_burst())
            sent += 1
            await total.reach(started + (sent - BURSTS_AHEAD + 1) * each * length)
        await total.reach(started + sent * each * length)
    if total.came != started + sent * each * length:
        raise LoadError("more came than was sent")
    for crowd in (*crowds, *talkers):
        crowd.leave()
    return meter.on(sent * each)


def _burst() -> bytes:
    return b"".join(wire.chat("x" * TEXT_LETTERS, room=wire.ROOM, ack=number) for number in range(BURST))


async def _joined(port: int, count: int, name: str) -> Crowd:
    crowd = Crowd(port)
    await crowd.join(count, name=name)
    return crowd


async def _length_of_one(talker: Member, crowds: Sequence[Crowd]) -> int:
    """How many bytes one delivery is: a message that nothing comes with, and one reader that counts its bytes."""
    counting, total = crowds[0].members[0], ByteCounter()
    if counting.transport is not None:
        counting.transport.set_protocol(Reader(total))
    for place, crowd in enumerate(crowds):
        crowd.tally.expect(len(crowd.members) - (place == 0))
    talker.write(wire.chat("x" * TEXT_LETTERS, room=wire.ROOM, ack=0))
    for crowd in crowds:
        await crowd.tally.complete(STEP_SECONDS)
    await total.reach(1)
    return total.came


async def requests(where: ServerAddress, count: int, in_flight: int, words: dict[str, Any]) -> ResourceUse:
    """Chat whose acks are awaited, one at a time from each of `in_flight` users of the first process.

    `words` are what a message has beside its text: `{"to": …}`; an `id` of True gives each an id of its own.
    """
    wire.SECRET = where.secret
    crowd = await _joined(where.ports[0], in_flight, "asker")
    asks = _Asks(crowd.members, words)
    await asks.run(count // 4)
    async with ResourceMeter(where) as meter:
        await asks.run(count)
    crowd.leave()
    return meter.on(count)


class _Asks:
    def __init__(self, members: Sequence[Member], words: dict[str, Any]) -> None:
        self._members, self._words = members, words
        self._numbers = itertools.count()
        self._left = self._to_send = 0
        self._done: asyncio.Future[None] | None = None

    async def run(self, count: int) -> None:
        self._left = self._to_send = count
        self._done = asyncio.get_running_loop().create_future()
        for member in self._members:
            member.on_ack = self._answered
            self._ask(member)
        async with asyncio.timeout(STEP_SECONDS):
            await self._done

    def _ask(self, member: Member) -> None:
        if self._to_send <= 0:
            return
        self._to_send -= 1
        number = next(self._numbers)
        said = {"text": "x" * TEXT_LETTERS, **self._words}
        if said.get("id"):
            said["id"] = f"{number}-{time.monotonic_ns()}"
        member.write(wire.event("chat:send", said, ack=number))

    def _answered(self, member: Member) -> None:
        self._left -= 1
        if self._left == 0 and self._done is not None:
            self._done.set_result(None)
        self._ask(member)


async def latencies(where: ServerAddress, count: int) -> dict[str, list[float]]:
    """Seconds from a message's sending to its arrival, one at a time: on the same process and on the other one."""
    wire.SECRET = where.secret
    talker = await _joined(where.ports[0], 1, "talker")
    near, far = [await _joined(port, 1, f"reader{n}") for n, port in enumerate(where.ports)]
    waited: dict[str, list[float]] = {"same process": [], "other process": []}
    for number in range(count):
        for crowd, user, name in ((near, "reader0-0", "same process"), (far, "reader1-0", "other process")):
            crowd.tally.latencies = waited[name]
            crowd.tally.expect(1)
            talker.members[0].write(wire.chat("x" * TEXT_LETTERS, to=user, ack=number))
            await crowd.tally.complete(STEP_SECONDS)
            await asyncio.sleep(REST_SECONDS)
    for crowd in (talker, near, far):
        crowd.leave()
    return waited


async def memory(where: ServerAddress, connections: int) -> float:
    """Bytes of the server's memory that each further connection takes, once some have been there."""
    wire.SECRET = where.secret
    first = await _joined(where.ports[0], connections // 4, "first")
    async with aiohttp.ClientSession() as session:
        probe = ProbeClient(session, where.probes[0])
        before = await probe.read()
        more = await _joined(where.ports[0], connections, "more")
        after = await probe.read()
    for crowd in (first, more):
        crowd.leave()
    return (after.rss_bytes - before.rss_bytes) / connections
