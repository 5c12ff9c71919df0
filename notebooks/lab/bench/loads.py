"""Answers for the six loads: what each puts on a server, and what it reads off."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

from lab.bench import wire
from lab.bench.crowd import Crowd, LoadError, Member
from lab.bench.peers import TEXT_LETTERS, Server
from lab.results.statistics import percentile

BURST = 20
WARM_UP_BURSTS = 2
BURSTS_AT_MOST = 50
IN_FLIGHT = 100
IDLE_SECONDS = 0.02
LONG_TEXT_LETTERS = 4000
STEP_SECONDS = 30.0
LEAVING_SECONDS = 120.0
# few that leave make a small figure
SMALL_TIMES = 2
# how often memory is looked at while a backlog grows
LOOKS = 10
MIB = 1024 * 1024


@dataclass(frozen=True)
class Sizes:
    """How much load: counts of things."""

    rounds: int
    rounds_when_long: int
    members: int
    bursts: int
    singles: int
    requests: int
    connections: int
    leaving: tuple[int, ...]
    readers: int
    backlog: int


QUICK = Sizes(1, 1, 400, 3, 30, 4000, 400, (500, 2000), 200, 320)
FULL = Sizes(3, 1, 1000, 5, 60, 10_000, 2000, (500, 2000, 8000, 16_000), 1000, 320)


@dataclass(frozen=True)
class Sample:
    """One run: the value in the benchmark's unit, other figures by name, and the generator's share of a core."""

    value: float
    also: dict[str, float] = field(default_factory=dict)
    generator_share: float = 0.0


class Span:
    """What the server's CPU, this process's CPU and the clock went on while it was open; may be opened again."""

    def __init__(self, server: Server) -> None:
        self.cpu_seconds = self.wall_seconds = self._own_seconds = 0.0
        self._server = server

    def __enter__(self) -> Self:
        self._add(-1)
        return self

    def __exit__(self, *_: object) -> None:
        self._add(1)

    def _add(self, sign: int) -> None:
        self.wall_seconds += sign * time.perf_counter()
        self._own_seconds += sign * time.process_time()
        self.cpu_seconds += sign * self._server.cpu_seconds()

    @property
    def generator_share(self) -> float:
        """How busy the load generator was, of one core."""
        return self._own_seconds / self.wall_seconds


@asynccontextmanager
async def room(server: Server, count: int, *, is_plain: bool = False) -> AsyncIterator[Crowd]:
    """A crowd of so many in one room, on a server that has come to rest."""
    crowd = Crowd(server.port)
    try:
        await crowd.join(count, is_plain=is_plain)
        await server.quiet()
        yield crowd
    finally:
        crowd.leave()


async def fan_out(server: Server, sizes: Sizes) -> Sample:
    """Bursts of messages to everyone in a room."""
    burst = b"".join(wire.chat("x" * TEXT_LETTERS, room=wire.ROOM, ack=number) for number in range(BURST))
    async with room(server, sizes.members) as crowd:
        return await _bursts(server, crowd, burst, sizes)


async def floor(server: Server, sizes: Sizes) -> Sample:
    """The same deliveries by a process that does nothing else."""
    async with room(server, sizes.members, is_plain=True) as crowd:
        return await _bursts(server, crowd, b"." * BURST, sizes)


async def _bursts(server: Server, crowd: Crowd, burst: bytes, sizes: Sizes) -> Sample:
    each = BURST * (len(crowd.members) - 1)

    async def send() -> None:
        crowd.tally.expect(each)
        crowd.members[0].write(burst)
        await crowd.tally.complete(STEP_SECONDS)

    for _ in range(WARM_UP_BURSTS):
        await send()
    span, done = Span(server), 0
    with span:
        began = time.perf_counter()
        while done < sizes.bursts or (done < BURSTS_AT_MOST and time.perf_counter() - began < 1):
            await send()
            done += 1
    rate = done * each / span.wall_seconds
    return Sample(1e6 * span.cpu_seconds / (done * each), {"deliveries/s": rate}, span.generator_share)


async def fan_out_idle(server: Server, sizes: Sizes) -> Sample:
    """One message at a time, with a rest between: no other message to share the work with."""
    async with room(server, sizes.members) as crowd:
        await _singles(server, crowd, "x" * TEXT_LETTERS, count=10)
        latencies, span = await _singles(server, crowd, "x" * TEXT_LETTERS, count=sizes.singles)
    cpu = 1e6 * span.cpu_seconds / len(latencies)
    also = {"p50 ms": 1e3 * percentile(latencies, 50), "us cpu per delivery": cpu}
    return Sample(1e3 * percentile(latencies, 99), also, span.generator_share)


async def _singles(
    server: Server, crowd: Crowd, text: str, *, count: int, rest_seconds: float = IDLE_SECONDS
) -> tuple[list[float], Span]:
    """What each member waited for each message (seconds); the next is sent when all have it."""
    latencies: list[float] = []
    crowd.tally.latencies = latencies
    span = Span(server)
    counting = sum(member.tally is not None for member in crowd.members) - 1
    message = wire.chat(text, room=wire.ROOM, ack=0)
    for _ in range(count):
        with span:
            crowd.tally.expect(counting)
            crowd.members[0].write(message)
            await crowd.tally.complete(STEP_SECONDS)
        await asyncio.sleep(rest_seconds)
    crowd.tally.latencies = None
    return latencies, span


async def ack(server: Server, sizes: Sizes) -> Sample:
    """Requests whose ack is awaited, to a user who is not there: the price of a request alone."""
    async with room(server, min(IN_FLIGHT, sizes.members)) as crowd:
        await _requests(crowd, sizes.requests // 2)
        with Span(server) as span:
            await _requests(crowd, sizes.requests)
    rate = sizes.requests / span.wall_seconds
    return Sample(1e6 * span.cpu_seconds / sizes.requests, {"requests/s": rate}, span.generator_share)


async def _requests(crowd: Crowd, count: int) -> None:
    """So many in all, one at a time from each member."""
    left, numbers = count, itertools.count()
    done = asyncio.get_running_loop().create_future()

    def ask(member: Member) -> None:
        number = next(numbers)
        if number < count:
            member.write(wire.chat("x" * TEXT_LETTERS, to=wire.ABSENT, ack=number))

    def answered(member: Member) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            done.set_result(None)
        ask(member)

    for member in crowd.members:
        member.on_ack = answered
        ask(member)
    try:
        async with asyncio.timeout(STEP_SECONDS):
            await done
    except TimeoutError:
        raise LoadError(f"{left:,} acks had not come after {STEP_SECONDS:.0f} s") from None
    finally:
        for member in crowd.members:
            member.on_ack = None


async def connect(server: Server, sizes: Sizes) -> Sample:
    """New connections, from the TCP handshake to the answer to CONNECT, each with a token that is checked."""
    async with room(server, max(1, sizes.connections // 2)) as crowd:
        rss = server.rss_bytes()
        with Span(server) as span:
            await crowd.join(sizes.connections, name="new")
        await server.quiet()
        kib = (server.rss_bytes() - rss) / 1024 / sizes.connections
    also = {"KiB per connection": kib, "connections/s": sizes.connections / span.wall_seconds}
    return Sample(1e3 * span.cpu_seconds / sizes.connections, also, span.generator_share)


async def disconnect(server: Server, sizes: Sizes) -> Sample:
    """Everyone leaves at once, in larger and larger crowds: does one cost more when there are more?"""
    small = min(sizes.leaving)
    # the first crowd finds code that no compiler has seen yet
    await _leave(server, small, 1)
    each = {size: await _leave(server, size, SMALL_TIMES if size == small else 1) for size in sizes.leaving}
    also = {f"us at {size:,}": cost for size, cost in each.items()}
    return Sample(each[max(each)] / each[small], also)


async def _leave(server: Server, size: int, times: int) -> float:
    """Microseconds of CPU for each that left."""
    cpu_seconds = 0.0
    for _ in range(times):
        async with room(server, size) as crowd:
            before = server.cpu_seconds()
            crowd.leave()
            if not await server.quiet(timeout=LEAVING_SECONDS):
                raise LoadError(f"{size:,} had left, and it was busy with that after {LEAVING_SECONDS:.0f} s")
            cpu_seconds += server.cpu_seconds() - before
    return 1e6 * cpu_seconds / size / times


async def slow_reader(server: Server, sizes: Sizes) -> Sample:
    """Long messages to a room where one in twenty stops reading: what the server hoards, what the others wait."""
    text, slow = "x" * LONG_TEXT_LETTERS, max(1, sizes.readers // 20)
    async with room(server, sizes.readers - slow) as crowd:
        await _singles(server, crowd, text, count=sizes.backlog // LOOKS, rest_seconds=0)
        before, _ = await _singles(server, crowd, text, count=sizes.backlog // 4, rest_seconds=0)
        await crowd.join(slow, name="phone", is_phone=True)
        await server.quiet()
        for phone in crowd.members[-slow:]:
            _stop_reading(phone)
        rss, files, meanwhile = [server.rss_bytes()], server.open_files(), []
        for _ in range(LOOKS):
            waited, span = await _singles(server, crowd, text, count=sizes.backlog // LOOKS, rest_seconds=0)
            meanwhile += waited
            rss.append(server.rss_bytes())
        closed = files - server.open_files()
    multiple = percentile(meanwhile, 99) / percentile(before, 99)
    also = {"others' p99, times that without": multiple, "others' p99 ms": 1e3 * percentile(meanwhile, 99)}
    return Sample((max(rss) - rss[0]) / MIB, {**also, "% of them closed": 100 * closed / slow}, span.generator_share)


def _stop_reading(phone: Member) -> None:
    phone.tally = None
    if phone.transport is not None:
        phone.transport.pause_reading()
