"""Answers for bystanders: people who only want their acks in time, and sockets that only want their heartbeats.

Bystanders ask on a fixed schedule, and each answer is timed from when its question was due: an open loop, as one that
waits for the last answer before it asks again would ask least when the server is slowest.
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

# no answer within this counts as this
TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Sample:
    """When a question was due, in seconds since the first, and how long its answer took from then."""

    due_seconds: float
    seconds: float


def p99_milliseconds(samples: Sequence[Sample]) -> float:
    """The 99th percentile of the answers' times; NaN when nobody asked."""
    return percentile([sample.seconds for sample in samples], 99) * 1000 if samples else float("nan")


def as_series(samples: Sequence[Sample]) -> list[dict[str, float]]:
    """For a figure: when each question was due, and what its answer took, both in seconds."""
    in_order = sorted(samples, key=lambda sample: sample.due_seconds)
    return [{"due": round(sample.due_seconds, 3), "took": round(sample.seconds, 4)} for sample in in_order]


@asynccontextmanager
async def chat_on_schedule(ring: Sequence[Tab], *, per_second: float = 4) -> AsyncIterator[list[Sample]]:
    """While inside, each writes to the next that often; all answers are in, or given up, when the block has ended."""
    samples: list[Sample] = []
    questions: set[asyncio.Task[None]] = set()
    schedule = asyncio.create_task(_ask_on_schedule(ring, per_second, samples, questions))
    try:
        yield samples
        schedule.cancel()
        # each is bounded by its timeout
        await asyncio.gather(*questions)
    finally:
        for task in (schedule, *questions):
            task.cancel()
        await asyncio.gather(schedule, *questions, return_exceptions=True)


async def _ask_on_schedule(
    ring: Sequence[Tab], per_second: float, samples: list[Sample], questions: set[asyncio.Task[None]]
) -> None:
    clock = asyncio.get_running_loop().time
    started = clock()
    for number in itertools.count():
        due = started + number / (per_second * len(ring))
        await asyncio.sleep(due - clock())
        asker, reader = ring[number % len(ring)], ring[(number + 1) % len(ring)]
        questions.add(asyncio.create_task(_ask(asker, reader, due, started, samples)))


async def _ask(asker: Tab, reader: Tab, due: float, started: float, samples: list[Sample]) -> None:
    clock = asyncio.get_running_loop().time
    chat = {"to": reader.user, "text": "are you there?"}
    try:
        is_answered = (await asker.ask(events.CHAT_SEND, chat, timeout=TIMEOUT_SECONDS)).get("ok") is True
    except (TimeoutError, socketio.exceptions.SocketIOError):
        is_answered = False
    samples.append(Sample(due - started, clock() - due if is_answered else TIMEOUT_SECONDS))


@dataclass
class HeartbeatWatch:
    """A socket that notes when the server's heartbeats come."""

    interval_seconds: float = 0.0
    # the first is when the connection was opened
    beats: list[float] = field(default_factory=list)

    def missed(self, now: float) -> int:
        """How many came later than half an interval after they were due, the one that is due now included."""
        gaps = [after - before for before, after in itertools.pairwise([*self.beats, now])]
        return sum(gap > 1.5 * self.interval_seconds for gap in gaps)


@asynccontextmanager
async def watch_heartbeats(target: Target, count: int, *, over_seconds: float) -> AsyncIterator[list[HeartbeatWatch]]:
    """Opens `count` sockets, spread over that time so that their heartbeats are not due together."""
    taken = [HeartbeatWatch() for _ in range(count)]
    async with aiohttp.ClientSession() as session:
        watching = [
            asyncio.create_task(_watch(session, target, watch, number, number * over_seconds / count))
            for number, watch in enumerate(taken)
        ]
        try:
            yield taken
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
