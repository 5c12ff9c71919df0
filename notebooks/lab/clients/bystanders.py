"""Clients that measure how long a busy server lets other users wait.

Some clients send requests on a fixed schedule. The time of an ack is measured from the moment when its request was due
(an open loop). If each client waited for an ack before its next request (a closed loop), the clients would send least
when the server is slowest. Other clients only record when heartbeats arrive.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
import socketio

from good_server import events
from lab.clients.tab import Tab
from lab.results.statistics import percentile
from lab.servers.target import Target

# a request without an ack within this time counts as this time
TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One request: when it was due, and how long its ack took.

    `due_seconds` is when the request was due, counted from the start of the schedule. `seconds` is the time from the
    moment when the request was due until its ack.
    """

    due_seconds: float
    seconds: float


def p99_milliseconds(samples: Sequence[Sample]) -> float:
    """Return the 99th percentile of the ack times, in milliseconds.

    Returns NaN when there are no samples.
    """
    return percentile([sample.seconds for sample in samples], 99) * 1000 if samples else float("nan")


def as_series(samples: Sequence[Sample]) -> list[dict[str, float]]:
    """Return the samples as data for a figure, in order of `due`.

    In each dict, `due` is when the request was due, and `took` is how long its ack took, both in seconds.
    """
    in_order = sorted(samples, key=lambda sample: sample.due_seconds)
    return [{"due": round(sample.due_seconds, 3), "took": round(sample.seconds, 4)} for sample in in_order]


@asynccontextmanager
async def chat_on_schedule(ring: Sequence[Tab], *, per_second: float = 4) -> AsyncIterator[list[Sample]]:
    """Let simulated browser tabs send messages in a ring on a schedule.

    Each tab sends `per_second` messages per second to the next tab, until the `async with` block ends. Then the
    function waits until every message has its ack or has timed out. The yielded list has one sample per message.
    """
    samples: list[Sample] = []
    requests: set[asyncio.Task[None]] = set()
    schedule = asyncio.create_task(_send_on_schedule(ring, per_second, samples, requests))
    try:
        yield samples
        schedule.cancel()
        # each request has a timeout, so this ends
        await asyncio.gather(*requests)
    finally:
        for task in (schedule, *requests):
            task.cancel()
        await asyncio.gather(schedule, *requests, return_exceptions=True)


async def _send_on_schedule(
    ring: Sequence[Tab], per_second: float, samples: list[Sample], requests: set[asyncio.Task[None]]
) -> None:
    clock = asyncio.get_running_loop().time
    started = clock()
    for number in itertools.count():
        due = started + number / (per_second * len(ring))
        await asyncio.sleep(due - clock())
        writer, reader = ring[number % len(ring)], ring[(number + 1) % len(ring)]
        requests.add(asyncio.create_task(_send_request(writer, reader, due, started, samples)))


async def _send_request(writer: Tab, reader: Tab, due: float, started: float, samples: list[Sample]) -> None:
    clock = asyncio.get_running_loop().time
    chat = {"to": reader.user, "text": "are you there?"}
    try:
        is_acked = (await writer.ask(events.CHAT_SEND, chat, timeout=TIMEOUT_SECONDS)).get("ok") is True
    except (TimeoutError, socketio.exceptions.SocketIOError):
        is_acked = False
    samples.append(Sample(due - started, clock() - due if is_acked else TIMEOUT_SECONDS))


@dataclass
class HeartbeatWatch:
    """The times at which the server's heartbeats arrived at one socket.

    `interval_seconds` is the server's heartbeat interval. `beats` begins with the time at which the connection opened.
    """

    interval_seconds: float = 0.0
    # the first entry is when the connection opened
    beats: list[float] = field(default_factory=list)

    def missed(self, now: float) -> int:
        """Return how many heartbeats came more than half an interval late.

        A heartbeat that has not arrived at the time `now` counts too, if it is already that late.
        """
        gaps = [after - before for before, after in itertools.pairwise([*self.beats, now])]
        return sum(gap > 1.5 * self.interval_seconds for gap in gaps)


@asynccontextmanager
async def watch_heartbeats(target: Target, count: int, *, over_seconds: float) -> AsyncIterator[list[HeartbeatWatch]]:
    """Open `count` sockets that record when heartbeats arrive.

    Yields one `HeartbeatWatch` per socket. The sockets open one after another within `over_seconds` seconds, so their
    heartbeats are not all due at the same time. The sockets close when the `async with` block ends.
    """
    watches = [HeartbeatWatch() for _ in range(count)]
    async with aiohttp.ClientSession() as session:
        watching = [
            asyncio.create_task(_watch(session, target, watch, number, number * over_seconds / count))
            for number, watch in enumerate(watches)
        ]
        try:
            yield watches
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)


async def _watch(
    session: aiohttp.ClientSession, target: Target, watch: HeartbeatWatch, number: int, after_seconds: float
) -> None:
    clock = asyncio.get_running_loop().time
    await asyncio.sleep(after_seconds)
    url = f"ws://127.0.0.1:{target.ports[number % len(target.ports)]}/socket.io/?EIO=4&transport=websocket"
    namespace = "" if target.namespace == "/" else f"{target.namespace},"
    async with session.ws_connect(url) as socket:
        opened: dict[str, Any] = orjson.loads((await socket.receive_str())[1:])
        watch.interval_seconds = opened["pingInterval"] / 1000
        watch.beats.append(clock())
        await socket.send_str(f"40{namespace}" + orjson.dumps({"token": target.token(f"pulse-{number}")}).decode())
        async for message in socket:
            if message.data == "2":
                watch.beats.append(clock())
                await socket.send_str("3")
