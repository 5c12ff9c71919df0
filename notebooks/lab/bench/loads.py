"""The loads (client traffic) of `lab bench`, except those with idle clients."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from lab.bench import wire
from lab.bench.cpu_meter import CpuMeter
from lab.bench.crowd import Crowd, LoadError, Member
from lab.bench.peers import TEXT_LETTERS, Server
from lab.bench.sizes import Sizes
from lab.results.statistics import percentile

BURST_MESSAGES = 20
WARM_UP_BURSTS = 2
MAX_BURSTS = 50
IN_FLIGHT = 100
PAUSE_SECONDS = 0.02
LONG_TEXT_LETTERS = 4000
STEP_SECONDS = 30.0
DISCONNECT_SECONDS = 120.0
# a small crowd costs little CPU, so it is measured more than once
SMALL_CROWD_REPEATS = 2
# how many times memory is read while a backlog grows
MEMORY_READS = 10
MIB = 1024 * 1024


@dataclass(frozen=True)
class Sample:
    """The result of one run of a benchmark on one server.

    `value` is the main result, in the unit of the benchmark. `other_values` maps names to secondary results.
    `generator_share` is the CPU use of the load generator, where 1 is one core.
    """

    value: float
    other_values: dict[str, float] = field(default_factory=dict)
    generator_share: float = 0.0


@asynccontextmanager
async def crowd_in_room(server: Server, count: int, *, is_plain_tcp: bool = False) -> AsyncIterator[Crowd]:
    """Keeps `count` clients in one room during the `async with` block.

    Yields these clients. Before that, it waits until the server is idle again after the connects.
    """
    crowd = Crowd(server.port)
    try:
        await crowd.join(count, is_plain_tcp=is_plain_tcp)
        await server.wait_until_idle()
        yield crowd
    finally:
        crowd.leave()


async def fan_out(server: Server, sizes: Sizes) -> Sample:
    """Measures the server's CPU time per message and receiver, in µs. Messages are sent to a room in bursts."""
    frames = (wire.chat_frame("x" * TEXT_LETTERS, room=wire.ROOM, ack=ack_id) for ack_id in range(BURST_MESSAGES))
    burst = b"".join(frames)
    async with crowd_in_room(server, sizes.members) as crowd:
        return await _measure_bursts(server, crowd, burst, sizes)


async def floor(server: Server, sizes: Sizes) -> Sample:
    """Measures bursts of messages, like `fan_out`, on the smallest possible server.

    `server` makes one system call per message and receiver. The value is its CPU time per call, in µs.
    """
    async with crowd_in_room(server, sizes.members, is_plain_tcp=True) as crowd:
        return await _measure_bursts(server, crowd, b"." * BURST_MESSAGES, sizes)


async def _measure_bursts(server: Server, crowd: Crowd, burst: bytes, sizes: Sizes) -> Sample:
    deliveries_per_burst = BURST_MESSAGES * (len(crowd.members) - 1)

    async def send() -> None:
        crowd.counter.expect(deliveries_per_burst)
        crowd.members[0].write(burst)
        await crowd.counter.wait_for_all(STEP_SECONDS)

    for _ in range(WARM_UP_BURSTS):
        await send()
    meter, bursts = CpuMeter(server), 0
    with meter:
        began = time.perf_counter()
        while bursts < sizes.bursts or (bursts < MAX_BURSTS and time.perf_counter() - began < 1):
            await send()
            bursts += 1
    deliveries = bursts * deliveries_per_burst
    rate = deliveries / meter.wall_seconds
    return Sample(1e6 * meter.cpu_seconds / deliveries, {"deliveries/s": rate}, meter.generator_share)


async def fan_out_idle(server: Server, sizes: Sizes) -> Sample:
    """Measures the latency of single messages to a room.

    After each message there is a pause, so the server cannot batch messages. The value is the 99th percentile in ms.
    """
    async with crowd_in_room(server, sizes.members) as crowd:
        await _measure_single_messages(server, crowd, "x" * TEXT_LETTERS, count=10)
        latencies, meter = await _measure_single_messages(server, crowd, "x" * TEXT_LETTERS, count=sizes.singles)
    cpu = 1e6 * meter.cpu_seconds / len(latencies)
    other_values = {"p50 ms": 1e3 * percentile(latencies, 50), "us cpu per delivery": cpu}
    return Sample(1e3 * percentile(latencies, 99), other_values, meter.generator_share)


async def _measure_single_messages(
    server: Server, crowd: Crowd, text: str, *, count: int, pause_seconds: float = PAUSE_SECONDS
) -> tuple[list[float], CpuMeter]:
    """Sends `count` single messages and measures when each member receives them.

    Each message is sent after all members have received the previous message. Returns the latencies in seconds, one per
    member and message, and the meter of the CPU time.
    """
    latencies: list[float] = []
    crowd.counter.latencies = latencies
    meter = CpuMeter(server)
    receivers = sum(member.counter is not None for member in crowd.members) - 1
    message = wire.chat_frame(text, room=wire.ROOM, ack=0)
    for _ in range(count):
        with meter:
            crowd.counter.expect(receivers)
            crowd.members[0].write(message)
            await crowd.counter.wait_for_all(STEP_SECONDS)
        await asyncio.sleep(pause_seconds)
    crowd.counter.latencies = None
    return latencies, meter


async def ack(server: Server, sizes: Sizes) -> Sample:
    """Measures the server's CPU time for a request and its ack.

    The request is a message to a user who is not connected, so the server delivers nothing. The value is in µs.
    """
    async with crowd_in_room(server, min(IN_FLIGHT, sizes.members)) as crowd:
        await _send_requests(crowd, sizes.requests // 2)
        with CpuMeter(server) as meter:
            await _send_requests(crowd, sizes.requests)
    rate = sizes.requests / meter.wall_seconds
    return Sample(1e6 * meter.cpu_seconds / sizes.requests, {"requests/s": rate}, meter.generator_share)


async def _send_requests(crowd: Crowd, count: int) -> None:
    """Sends `count` requests in total, and waits for all acks.

    Each client in `crowd` sends its next request as soon as its previous request is acked.
    """
    missing, ack_ids = count, itertools.count()
    done = asyncio.get_running_loop().create_future()

    def send(member: Member) -> None:
        ack_id = next(ack_ids)
        if ack_id < count:
            member.write(wire.chat_frame("x" * TEXT_LETTERS, to=wire.ABSENT_USER, ack=ack_id))

    def on_ack(member: Member) -> None:
        nonlocal missing
        missing -= 1
        if missing == 0:
            done.set_result(None)
        send(member)

    for member in crowd.members:
        member.on_ack = on_ack
        send(member)
    try:
        async with asyncio.timeout(STEP_SECONDS):
            await done
    except TimeoutError:
        raise LoadError(f"{missing:,} acks did not arrive within {STEP_SECONDS:.0f} s") from None
    finally:
        for member in crowd.members:
            member.on_ack = None


async def connect(server: Server, sizes: Sizes) -> Sample:
    """Measures the CPU time of new connections, each with a token check.

    The measured work starts with the TCP handshake and ends with the answer to CONNECT. The value is in ms per client.
    """
    async with crowd_in_room(server, max(1, sizes.connections // 2)) as crowd:
        rss = server.rss_bytes()
        with CpuMeter(server) as meter:
            await crowd.join(sizes.connections, name="new")
        await server.wait_until_idle()
        kib = (server.rss_bytes() - rss) / 1024 / sizes.connections
    other_values = {"KiB per connection": kib, "connections/s": sizes.connections / meter.wall_seconds}
    return Sample(1e3 * meter.cpu_seconds / sizes.connections, other_values, meter.generator_share)


async def disconnect(server: Server, sizes: Sizes) -> Sample:
    """Compares the CPU time of a disconnect in large and small crowds.

    All clients of a crowd disconnect together. The value is the CPU time of one disconnect in the largest crowd,
    divided by the CPU time of one disconnect in the smallest crowd.
    """
    small = min(sizes.leaving)
    # a warm-up: a just-in-time compiler has not optimized the code yet
    await _measure_disconnects(server, small, 1)
    costs = {
        size: await _measure_disconnects(server, size, SMALL_CROWD_REPEATS if size == small else 1)
        for size in sizes.leaving
    }
    other_values = {f"us at {size:,}": cost for size, cost in costs.items()}
    return Sample(costs[max(costs)] / costs[small], other_values)


async def _measure_disconnects(server: Server, size: int, repeats: int) -> float:
    """Returns the server's CPU time for one disconnect, in microseconds.

    It is the mean over `repeats` crowds of `size` clients. Raises `LoadError` when the server stays busy for too long.
    """
    cpu_seconds = 0.0
    for _ in range(repeats):
        async with crowd_in_room(server, size) as crowd:
            before = server.cpu_seconds()
            crowd.leave()
            if not await server.wait_until_idle(timeout=DISCONNECT_SECONDS):
                raise LoadError(f"{size:,} disconnected, and it was still busy after {DISCONNECT_SECONDS:.0f} s")
            cpu_seconds += server.cpu_seconds() - before
    return 1e6 * cpu_seconds / size / repeats


async def slow_reader(server: Server, sizes: Sizes) -> Sample:
    """Measures the memory that slow consumers in a room cost the server.

    Some members stop reading while long messages are sent to the room. The value is the growth of the server's memory
    in MiB. Secondary values are the latency of the other members and the share of disconnected slow consumers.
    """
    text, slow = "x" * LONG_TEXT_LETTERS, max(1, sizes.readers // 20)
    step = sizes.backlog // MEMORY_READS
    async with crowd_in_room(server, sizes.readers - slow) as crowd:
        await _measure_single_messages(server, crowd, text, count=step, pause_seconds=0)
        before, _ = await _measure_single_messages(server, crowd, text, count=sizes.backlog // 4, pause_seconds=0)
        await crowd.join(slow, name="phone", is_phone=True)
        await server.wait_until_idle()
        for phone in crowd.members[-slow:]:
            _stop_reading(phone)
        rss, files, during = [server.rss_bytes()], server.open_files(), []
        for _ in range(MEMORY_READS):
            latencies, meter = await _measure_single_messages(server, crowd, text, count=step, pause_seconds=0)
            during += latencies
            rss.append(server.rss_bytes())
        closed = files - server.open_files()
    other_values = {
        "others' p99, multiple of before": percentile(during, 99) / percentile(before, 99),
        "others' p99 ms": 1e3 * percentile(during, 99),
        "% of slow readers closed": 100 * closed / slow,
    }
    return Sample((max(rss) - rss[0]) / MIB, other_values, meter.generator_share)


def _stop_reading(phone: Member) -> None:
    phone.counter = None
    if phone.transport is not None:
        phone.transport.pause_reading()
