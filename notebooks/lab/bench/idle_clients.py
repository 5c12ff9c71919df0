"""Benchmark loads with thousands of idle clients in a separate process.

Because the process is separate, the heartbeats of the idle clients do not delay the clients that measure the latency.
"""

import asyncio
import functools
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from good_server.runtime import loop_factory
from lab.bench import wire
from lab.bench.cpu_meter import CpuMeter
from lab.bench.crowd import CONNECT_SECONDS, Crowd, LoadError
from lab.bench.loads import STEP_SECONDS, Sample, crowd_in_room
from lab.bench.peers import TEXT_LETTERS, Server
from lab.bench.sizes import Sizes
from lab.results.statistics import percentile
from lab.system.open_files import raise_open_files
from lab.system.spawn import prepare_child_process, process_context, receive, start_process

# files of a crowd's process besides its connections
OTHER_FILES = 300
# the time to start the crowd's process and to connect a hundred clients on a busy machine
START_SECONDS = 30.0
STOP_SECONDS = 10.0
# a pause before each lone message. It is longer than the batch time of the good server, and random, so that the
# messages do not keep step with a timer of a server.
MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.01, 0.03
WARM_UP_MESSAGES = 50


@asynccontextmanager
async def idle_clients(server: Server, count: int) -> AsyncIterator[None]:
    """Keeps `count` idle clients connected during the `async with` block.

    The clients run in another process and only answer heartbeats. Raises `LoadError` when a client cannot connect.
    """
    receiving, sending = Pipe(duplex=False)
    arguments = (server.port, count, wire.SECRET, sending)
    process = process_context().Process(target=_run_crowd, args=arguments, daemon=True)  # type: ignore[attr-defined]
    try:
        with sending:
            await start_process(process)
        error = await receive(receiving, timeout=START_SECONDS + CONNECT_SECONDS + count / 100)
        if error is not None:
            raise error
        await server.wait_until_idle()
        yield
    except (TimeoutError, EOFError):
        raise LoadError(f"{count:,} idle clients did not connect") from None
    finally:
        await asyncio.to_thread(_stop, process)


def _stop(process: BaseProcess) -> None:
    if process.pid is None:
        return
    # it resets its connections, so that no port stays in TIME_WAIT
    process.terminate()
    process.join(STOP_SECONDS)
    process.kill()
    process.join()


def _run_crowd(port: int, count: int, secret: str, ready: Connection) -> None:
    """Main function of the process with the idle clients.

    It connects `count` clients and keeps them connected until SIGTERM. It sends None into the pipe `ready` when all
    clients are connected. If a client cannot connect, it sends a `LoadError` instead. `secret` signs the clients'
    tokens.
    """
    prepare_child_process()
    raise_open_files(count + OTHER_FILES)
    wire.SECRET = secret
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_connect_and_wait(port, count, ready))


async def _connect_and_wait(port: int, count: int, ready: Connection) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    crowd = Crowd(port)
    try:
        await crowd.join(count, name="idle")
    except LoadError as error:
        ready.send(error)
    else:
        ready.send(None)
        await stop.wait()
    crowd.leave()
    # the transports are closed in the next turn of the event loop
    await asyncio.sleep(0)


async def latency(server: Server, sizes: Sizes, *, clients: int) -> Sample:
    """Measures the latency of single messages while other clients are idle.

    One client writes to another client, with a pause before each message. A latency is the time from the write of the
    `chat:send` to the arrival of the `chat:message`. `clients` is the number of idle clients. The value of the returned
    sample is the 99th percentile in milliseconds.
    """
    async with idle_clients(server, clients), crowd_in_room(server, 2) as crowd:
        await _send_lone_messages(server, crowd, lambda sent: sent < WARM_UP_MESSAGES)
        end = time.monotonic() + sizes.lone_seconds
        latencies, meter = await _send_lone_messages(server, crowd, lambda _: time.monotonic() < end)
    other_values = {
        "p50 ms": 1e3 * percentile(latencies, 50),
        "max ms": 1e3 * max(latencies),
        "messages": float(len(latencies)),
    }
    return Sample(1e3 * percentile(latencies, 99), other_values, meter.generator_share)


async def _send_lone_messages(
    server: Server, crowd: Crowd, is_next: Callable[[int], bool]
) -> tuple[list[float], CpuMeter]:
    """Sends single messages, each after a pause, while `is_next` returns true.

    One of the two clients in `crowd` sends to the other client. `is_next` gets the number of messages sent so far.
    Returns the latency of each message in seconds, and the meter that measured the CPU use meanwhile.
    """
    latencies: list[float] = []
    crowd.counter.latencies = latencies
    sender, recipient = crowd.members
    message = wire.chat_frame("x" * TEXT_LETTERS, to=recipient.user, ack=0)
    meter = CpuMeter(server)
    with meter:
        while is_next(len(latencies)):
            await asyncio.sleep(random.uniform(MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS))  # noqa: S311 - no secret
            crowd.counter.expect(1)
            sender.write(message)
            await crowd.counter.wait_for_all(STEP_SECONDS)
    crowd.counter.latencies = None
    return latencies, meter


async def idle(server: Server, sizes: Sizes, *, clients: int) -> Sample:
    """Measures the CPU use of a server whose clients are all idle.

    The measurement lasts one ping interval, so the server pings each client once. All measured servers have the same
    ping interval. The value of the returned sample is in percent of one core.
    """
    before = server.rss_bytes()
    async with idle_clients(server, clients):
        kib = (server.rss_bytes() - before) / 1024 / clients
        with CpuMeter(server) as meter:
            await asyncio.sleep(sizes.idle_seconds)
    cpu = meter.cpu_seconds / meter.wall_seconds
    return Sample(100 * cpu, {"KiB per client": kib}, meter.generator_share)


def among(load: Callable[..., Awaitable[Sample]], clients: int) -> Callable[[Server, Sizes], Awaitable[Sample]]:
    """Returns `load` with its argument `clients` already set.

    `load` is a function of this module, such as `idle`. `clients` is the number of idle clients.
    """
    return functools.partial(load, clients=clients)
