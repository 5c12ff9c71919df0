"""Puts load on a server, for the picture of its Grafana dashboard.

Some of the clients are slow consumers: they stop reading.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from lab.bench import wire
from lab.bench.crowd import Crowd, MessageCounter
from lab.scaling.stock_backoff import Backoff
from lab.scaling.storm_clients import Connection, attempt_connect, connect

ROOM_MEMBERS = 150
WRITERS = 5
SLOW_CONSUMERS = 12
TEXT_LETTERS = 1500
WRITE_EVERY_SECONDS = 0.2
# between one slow consumer and the next
SLOW_EVERY_SECONDS = 1.5


@dataclass(frozen=True)
class Schedule:
    """The times of the events in a load run.

    In a load run, many clients use a server. All values are in seconds, and times count from the start of the run. Slow
    consumers (clients that stop reading) join from `slow_at` on. The server is killed at `restart_at`, and is started
    again after `away_seconds`.
    """

    slow_at: float = 70.0
    restart_at: float = 110.0
    away_seconds: float = 3.0
    ends_at: float = 180.0

    def scaled(self, factor: float) -> "Schedule":
        """Returns a copy of this schedule with all times multiplied by `factor`."""
        times = (self.slow_at, self.restart_at, self.away_seconds, self.ends_at)
        return Schedule(*(factor * seconds for seconds in times))


async def run_clients(port: int, secret: str, schedule: Schedule) -> tuple[float, float]:
    """Connects all clients to the server; some of them send messages.

    All clients are in one room. Most clients reconnect with the default delays of the client library. From
    `schedule.slow_at` on, slow consumers join the room and stop reading. The function runs in a separate process until
    the end of the schedule. Returns the times at which the first and the last slow consumer joined, in seconds since
    the epoch.
    """
    wire.SECRET = secret
    counter, chance, written = MessageCounter(), random.Random(0), itertools.count()  # noqa: S311 - no secret
    users = [f"member-{place}" for place in range(ROOM_MEMBERS)]
    tasks = [asyncio.create_task(_stay(user, port, counter, chance)) for user in users]
    tasks += [asyncio.create_task(_write(f"writer-{place}", port, counter, written)) for place in range(WRITERS)]
    joined: list[float] = []
    tasks.append(asyncio.create_task(_stop_reading(port, schedule.slow_at, joined)))
    done, _ = await asyncio.wait(tasks, timeout=schedule.ends_at, return_when=asyncio.FIRST_EXCEPTION)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
    return joined[0], joined[-1]


async def _stay(user: str, port: int, counter: MessageCounter, chance: random.Random) -> None:
    """Keeps a client connected.

    After a lost connection, the client reconnects with the default delays of the client library. `chance` gives the
    random jitter of the delays.
    """
    connection = await connect(user, port, counter)
    while True:
        await connection.lost
        for number in itertools.count():
            await asyncio.sleep(Backoff().delay(number, chance))
            connection = Connection(user, counter)
            if (await attempt_connect(connection, port)).outcome == "accepted":
                break


async def _write(user: str, port: int, counter: MessageCounter, written: "itertools.count[int]") -> None:
    """Sends messages to the room of all clients at a steady pace.

    After a lost connection, the client reconnects at once. `written` gives each message its ack id.
    """
    while True:
        connection = await connect(user, port, counter)
        while not connection.is_lost:
            connection.write(wire.chat_frame("x" * TEXT_LETTERS, room=wire.ROOM, ack=next(written)))
            await asyncio.sleep(WRITE_EVERY_SECONDS)


async def _stop_reading(port: int, after: float, joined: list[float]) -> None:
    """Connects slow consumers one after the other; each stops reading at once.

    The first consumer connects after `after` seconds. The time at which each consumer joined is appended to `joined`,
    in seconds since the epoch.
    """
    await asyncio.sleep(after)
    crowds: Sequence[Crowd] = [Crowd(port) for _ in range(SLOW_CONSUMERS)]
    began = time.monotonic()
    for place, crowd in enumerate(crowds):
        await asyncio.sleep(max(0.0, began + place * SLOW_EVERY_SECONDS - time.monotonic()))
        await crowd.join(1, name=f"slow-{place}", is_phone=True)
        transport = crowd.members[0].transport
        if transport is not None:
            transport.pause_reading()
        joined.append(time.time())
    # the run ends by a cancellation, and until then the sockets must not be collected
    await asyncio.Event().wait()
