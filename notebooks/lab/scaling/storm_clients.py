"""Many light clients that reconnect like default JavaScript clients, in one process.

A real client of python-socketio takes about as much CPU for a connect as the server does. So two thousand real clients
on the same cores would slow the server down. The light clients need little CPU. They send and receive the same packets,
with the same delays.
"""

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as PipeEnd
from typing import Literal

from lab.bench import wire
from lab.bench.crowd import ADDRESS, LoadError, Member, MessageCounter, RefusedError
from lab.scaling.stock_backoff import Backoff
from lab.system.open_files import raise_open_files

Outcome = Literal["accepted", "refused", "unreachable", "timeout"]

# files of a process besides its connections
OTHER_FILES = 300
# the stock option `timeout`
ATTEMPT_SECONDS = 20.0
FIRST_CONNECTS_AT_ONCE = 50
RETRY_SECONDS = 0.05
# until all clients are connected and the server is stopped
FIRST_CONNECT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to connect; times are on the clock `time.monotonic`.

    The outcome `refused` means that the server refused the connect, for example with HTTP 503 because it limits the
    connects per second. The outcome `unreachable` means that the connection failed, for example because no server
    listens.
    """

    began: float
    ended: float
    outcome: Outcome


@dataclass
class ClientLog:
    """When one client lost its connection, and its attempts to reconnect.

    `lost_at` is on the clock `time.monotonic`. It is 0 while the client has not lost its connection.
    """

    lost_at: float = 0.0
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def back_at(self) -> float | None:
        """The time (`time.monotonic`) of the reconnect, or None if there was none."""
        return next((attempt.ended for attempt in self.attempts if attempt.outcome == "accepted"), None)


class Connection(Member):
    """A simulated client with a future that completes at connection loss.

    The result of this future, `lost`, is the time of the loss (`time.monotonic`).
    """

    def __init__(self, user: str, counter: MessageCounter) -> None:
        super().__init__(user, counter)
        self.lost: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def connection_lost(self, error: Exception | None) -> None:
        """Stores the time at which the connection was lost."""
        super().connection_lost(error)
        if not self.lost.done():
            self.lost.set_result(time.monotonic())

    def close(self) -> None:
        """Resets the TCP connection, so that no port stays in TIME_WAIT."""
        if self.ready.done() and not self.ready.cancelled():
            # retrieve the exception, because no task awaits it any more
            self.ready.exception()
        if self.transport is not None:
            self.transport.abort()


async def attempt_connect(connection: Connection, port: int) -> Attempt:
    """Tries to connect once, and returns how the attempt ended.

    If the outcome is not `accepted`, the connection is closed.
    """
    began = time.monotonic()
    outcome: Outcome = "accepted"
    try:
        async with asyncio.timeout(ATTEMPT_SECONDS):
            await asyncio.get_running_loop().create_connection(lambda: connection, ADDRESS, port)
            await connection.ready
    except RefusedError:
        outcome = "refused"
    except TimeoutError:
        outcome = "timeout"
    except (LoadError, OSError):
        outcome = "unreachable"
    finally:
        if outcome != "accepted" or not connection.ready.done():
            connection.close()
    return Attempt(began, time.monotonic(), outcome)


async def reconnect_all(
    port: int, secret: str, count: int, backoff: Backoff, most_seconds: float, seed: int, all_connected: PipeEnd
) -> Sequence[ClientLog]:
    """Connects `count` clients, and lets them reconnect after the server restarts.

    Run this function in a separate process. `secret` signs the clients' tokens. `backoff` gives the reconnect delays,
    and `seed` is for their random jitter. The function sends None to `all_connected` when all clients are connected. It
    returns the log of each client when all clients are connected again, at the latest `most_seconds` after the first
    connection was lost. If no connection is lost within `FIRST_CONNECT_SECONDS`, the function returns at the latest
    `most_seconds` later.
    """
    wire.SECRET = secret
    raise_open_files(count + OTHER_FILES)
    logs, counter, chance = [ClientLog() for _ in range(count)], MessageCounter(), random.Random(seed)  # noqa: S311 - no secret
    few = asyncio.Semaphore(FIRST_CONNECTS_AT_ONCE)
    open_connections, is_lost, unconnected = set[Connection](), asyncio.Event(), count

    async def run(place: int) -> None:
        nonlocal unconnected
        user = f"storm-{place}"
        async with few:
            connection = await connect(user, port, counter)
        unconnected -= 1
        if not unconnected:
            all_connected.send(None)
        logs[place].lost_at = await connection.lost
        is_lost.set()
        for number in itertools.count():
            await asyncio.sleep(backoff.delay(number, chance))
            connection = Connection(user, counter)
            logs[place].attempts.append(await attempt_connect(connection, port))
            if logs[place].attempts[-1].outcome == "accepted":
                open_connections.add(connection)
                return

    clients = [asyncio.create_task(run(place)) for place in range(count)]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FIRST_CONNECT_SECONDS):
            await is_lost.wait()
    await asyncio.wait(clients, timeout=most_seconds)
    for client in clients:
        client.cancel()
    for ended in await asyncio.gather(*clients, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended
    for connection in open_connections:
        connection.close()
    return logs


async def connect(user: str, port: int, counter: MessageCounter) -> Connection:
    """Connects as `user`, and tries again until the server accepts.

    After each failure, the function waits `RETRY_SECONDS`. `counter` counts the messages that the client receives.
    """
    while True:
        connection = Connection(user, counter)
        if (await attempt_connect(connection, port)).outcome == "accepted":
            return connection
        await asyncio.sleep(RETRY_SECONDS)


class AckObserver:
    """A separate client that measures how long its acks take.

    It is not one of the many clients of the reconnect storm. It sends requests at a steady pace, and reconnects at once
    when the server is back. `waits` has a pair for each request that received its ack: the time at which the
    request was due (`time.monotonic`), and the seconds until the ack. The method `end` adds the requests still waiting.
    """

    PACE_SECONDS = 0.05

    def __init__(self, port: int) -> None:
        self.waits: list[tuple[float, float]] = []
        self._port = port
        self._due: list[float] = []

    async def run(self) -> None:
        """Sends requests, and reconnects when necessary, until the task is cancelled."""
        counter = MessageCounter()
        while True:
            connection = await connect("observer", self._port, counter)
            connection.on_ack = self._on_ack
            self._due.clear()
            try:
                await self._send_until_lost(connection)
            finally:
                connection.close()

    async def _send_until_lost(self, connection: Connection) -> None:
        due = time.monotonic()
        for number in itertools.count():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due - time.monotonic())):
                    await asyncio.shield(connection.lost)
                    return
            self._due.append(due)
            connection.write(wire.chat_frame("x", to=wire.ABSENT_USER, ack=number))
            due += self.PACE_SECONDS

    def _on_ack(self, _: Member) -> None:
        if self._due:
            due = self._due.pop(0)
            self.waits.append((due, time.monotonic() - due))

    def end(self) -> None:
        """Adds the requests that still wait for an ack to `waits`.

        The wait of such a request ends when `end` is called.
        """
        self.waits += [(due, time.monotonic() - due) for due in self._due]
        self._due.clear()
