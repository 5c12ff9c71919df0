"""Measures a reconnect storm: the server restarts, and all clients come back.

Jitter makes the reconnect delays of the clients random. Admission control limits how many connects per second the
server accepts. Each combination of jitter and admission control is measured on a new server, one after another.
"""

import asyncio
import math
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from multiprocessing import Pipe

import psutil

from lab.bench import wire
from lab.bench.crowd import LoadError
from lab.scaling.listen_queue import listen_overflows
from lab.scaling.stock_backoff import Backoff
from lab.scaling.storm_clients import FIRST_CONNECT_SECONDS, OTHER_FILES, AckObserver, Attempt, ClientLog, reconnect_all
from lab.scaling.storm_results import CONDITIONS, STORM_SECONDS, Condition, Storm, Storms
from lab.servers.process import Server
from lab.servers.running import running
from lab.system.exit_codes import UsageError
from lab.system.open_files import open_files, raise_open_files
from lab.system.own_process import in_own_process
from lab.system.spawn import receive

CLIENTS = 2000
ROUNDS = 2
# the server needs this long to import its libraries and to listen; a fork server makes that shorter
AWAY_SECONDS = 2.0
# the clients' process ends by itself before
PROCESS_SECONDS = STORM_SECONDS + FIRST_CONNECT_SECONDS + 30
CPU_SECONDS = 0.25
# without admission control
NO_LIMIT = 1_000_000
# the clients have one address, and the observer sends more than a person does
SETTINGS = {
    "SERVER_PING_INTERVAL_SECONDS": "25",
    "SERVER_PING_TIMEOUT_SECONDS": "20",
    "SERVER_SOCKETS_PER_ADDRESS": str(NO_LIMIT),
    "SERVER_CONNECTS_PER_SECOND_PER_ADDRESS": str(NO_LIMIT),
    "SERVER_CHAT_PER_SECOND": "1000",
    "SERVER_EVENTS_PER_SECOND": "1000",
}


def check_open_files(clients: int) -> None:
    """Increases this process's limit of open files for `clients` clients.

    Raises `UsageError` if the operating system does not allow enough open files.
    """
    needed = clients + OTHER_FILES
    raise_open_files(needed)
    if open_files() < needed:
        raise UsageError(
            f"{clients:,} clients need {needed:,} open files, and {open_files():,} are allowed (ulimit -n)"
        )


async def storms(
    *,
    clients: int = CLIENTS,
    rounds: int = ROUNDS,
    connects_per_second: int | None = None,
    away_seconds: float = AWAY_SECONDS,
    conditions: Sequence[Condition] = CONDITIONS,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Storms:
    """Measures reconnect storms with and without jitter and admission control.

    In a storm, the server is stopped for `away_seconds` and then started again, and `clients` clients reconnect. Each
    round measures one storm for each of `conditions`: combinations of random reconnect delays (jitter) and a limit of
    connects per second in the server (admission control). The limit is `connects_per_second`. Its default is a quarter
    of `clients`: for 2,000 clients this is also the server's default. `on_progress` gets a line of text before each
    storm. Raises `UsageError` if the limit of open files is too low, and `LoadError` if not all clients could connect
    before the restart.
    """
    check_open_files(clients)
    rate = connects_per_second or max(1, clients // 4)
    runs = []
    for number in range(rounds):
        for condition in conditions:
            on_progress(f"round {number + 1} of {rounds}: {condition.name}")
            runs.append(await _storm(condition, clients, rate, away_seconds, seed=number))
    return Storms(clients, rate, runs)


async def _storm(condition: Condition, clients: int, rate: int, away_seconds: float, *, seed: int) -> Storm:
    secret = secrets.token_hex(32)
    limit = rate if condition.has_admission else NO_LIMIT
    settings = {**SETTINGS, "SERVER_JWT_SECRET": secret, "SERVER_CONNECTS_PER_SECOND": str(limit)}
    backoff = Backoff() if condition.has_jitter else Backoff(jitter=0.0)
    wire.SECRET = secret
    receiving, sending = Pipe(duplex=False)
    async with running("good", settings=settings) as server:
        arguments = (server.port, secret, clients, backoff, STORM_SECONDS, seed, sending)
        work = in_own_process(reconnect_all, *arguments, is_fast=True, timeout=PROCESS_SECONDS)
        storm = asyncio.create_task(work)
        connecting = asyncio.create_task(receive(receiving, timeout=FIRST_CONNECT_SECONDS))
        try:
            await asyncio.wait([storm, connecting], return_when=asyncio.FIRST_COMPLETED)
            if storm.done():
                # it failed: nothing was restarted yet
                storm.result()
            if not connecting.done() or connecting.exception():
                raise LoadError(f"not all of {clients:,} clients were connected after {FIRST_CONNECT_SECONDS:.0f} s")
            return await _restart(server, condition, away_seconds, storm)
        finally:
            storm.cancel()
            # ends the thread that still waits for the message
            sending.close()
            await asyncio.gather(storm, connecting, return_exceptions=True)


async def _restart(
    server: Server, condition: Condition, away_seconds: float, storm: "asyncio.Task[Sequence[ClientLog]]"
) -> Storm:
    """Restarts the server, and measures until the clients are connected again.

    The server is stopped for `away_seconds`. `storm` is the task that runs the clients and returns their logs. The
    server is killed: a graceful shutdown would have the same effect on the clients, because they lose their transport
    and reconnect with the same delays.
    """
    observer = AckObserver(server.port)
    async with _running_observer(observer):
        await server.kill()
        await asyncio.sleep(away_seconds)
        await server.start_again()
        overflows = listen_overflows()
        server_back = time.monotonic()
        await server.probe.reset()
        async with _cpu_samples((await server.probe.read()).pid) as cpu:
            logs = await storm
        overflows = listen_overflows() - overflows
        stall = (await server.probe.read()).loop_lag_worst_seconds
    observer.end()
    return replace(_result(condition, server_back, logs, observer, cpu), stall=stall, listen_overflows=overflows)


@asynccontextmanager
async def _running_observer(observer: AckObserver) -> AsyncIterator[None]:
    task = asyncio.create_task(observer.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def _cpu_samples(pid: int) -> AsyncIterator[list[tuple[float, float]]]:
    """Samples a process's CPU seconds every `CPU_SECONDS` during an `async with` block.

    Yields the list of samples. A sample is a pair: the time (`time.monotonic`), and the CPU seconds since the process
    started.
    """
    process, samples = psutil.Process(pid), list[tuple[float, float]]()

    def sample() -> None:
        times = process.cpu_times()
        samples.append((time.monotonic(), times.user + times.system))

    async def repeat() -> None:
        while True:
            await asyncio.sleep(CPU_SECONDS)
            sample()

    sample()
    task = asyncio.create_task(repeat())
    try:
        yield samples
        sample()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _result(
    condition: Condition,
    server_back: float,
    logs: Sequence[ClientLog],
    observer: AckObserver,
    cpu: Sequence[tuple[float, float]],
) -> Storm:
    """Combines the measurements of one reconnect storm into a `Storm`.

    The measurements are the logs of the clients, the ack times of a separate client (`observer`), and the CPU samples.
    `server_back` is the time at which the server listened again. The fields `stall` and `listen_overflows` are NaN in
    the result: the caller replaces them.
    """
    cut = min(log.lost_at for log in logs if log.lost_at)
    attempts = [Attempt(one.began - cut, one.ended - cut, one.outcome) for log in logs for one in log.attempts]
    back = [log.back_at - log.lost_at for log in logs if log.back_at is not None]
    # the last sample may follow the one before it at once
    shares = [
        (after[1] - before[1]) / (after[0] - before[0])
        for before, after in pairwise(cpu)
        if after[0] - before[0] > CPU_SECONDS / 2
    ]
    return Storm(
        condition,
        server_back - cut,
        back,
        len(logs) - len(back),
        attempts,
        [(due - cut, seconds) for due, seconds in observer.waits if due >= server_back],
        cpu[-1][1] - cpu[0][1],
        max(shares, default=0.0),
        stall=math.nan,
        listen_overflows=math.nan,
    )
