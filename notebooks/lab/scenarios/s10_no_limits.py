"""Scenario 10: count the abusive requests that a server accepts.

A client with a valid token sends as fast as it can, while other users wait for their acks.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from good_server import events
from lab.clients.abuser import ABUSER, Tally, abuse
from lab.clients.bystanders import as_series, chat_on_schedule, p99_milliseconds
from lab.clients.chat_ring import people
from lab.clients.tab import Person, Tab, tabs
from lab.results.run import Run
from lab.scenarios.scenario import Scenario
from lab.servers.state_client import BucketLevel, StateClient
from lab.servers.target import Target
from lab.system.own_process import in_own_process

IDLE_SECONDS = 0.5
# messages that a page sends at once after it was offline; within the contract's default limits
BURST = 40
SAMPLE_SECONDS = 0.1
# after its burst the page goes on at this pace, which is within the limits
CALM_PER_SECOND = 2
# the user with this page
RETURNING = "back-online"
# the rate limit whose bucket is shown, and the time in which one refusal of a flood stands for all
SHOWN_KIND = "chat"
FEW_SECONDS = 0.02


async def run(target: Target, *, seed: int = 7, bystanders: int = 10, rooms: int = 2000, chats: int = 5000) -> Run:
    """Measure the percentage of abusive requests that the server accepts.

    One client, the abuser, joins `rooms` rooms and sends `chats` messages. Meanwhile `bystanders` other users chat, and
    their ack times are measured. `target` says how to reach the server. The percentage is the `value` of the returned
    run. `seed` has no effect, because nothing is random.
    """
    async with (
        tabs(target, people(bystanders)) as ring,
        tabs(target, [Person(RETURNING)]) as (returning,),
    ):
        state = StateClient(target.probe)
        await state.record_levels(SHOWN_KIND, (RETURNING, ABUSER))
        burst_acks = await _send_burst(returning, to=ring[0].user)
        async with _calm_writing(returning, to=ring[0].user):
            async with chat_on_schedule(ring) as idle:
                await asyncio.sleep(IDLE_SECONDS)
            async with chat_on_schedule(ring) as busy, _sampled_memory(target) as memory_bytes:
                # in its own process, so that the bystanders wait for the server and not for the abuser
                tally = await in_own_process(abuse, _without_server(target), rooms, chats)
        levels = await state.levels()
    accepted = sum(_count(tally, kind, "accepted") for kind in tally)
    requests = sum(sum(outcomes.values()) for outcomes in tally.values())
    also = {
        "rooms_created": _count(tally, "room", "accepted"),
        "memory_growth_bytes": max(memory_bytes) - memory_bytes[0],
        "malformed_unanswered": _count(tally, "malformed", "unanswered"),
        "bystander_p99_milliseconds": p99_milliseconds(busy),
    }
    broken = None if burst_acks == BURST else f"{burst_acks} of {BURST} messages of a legitimate burst were accepted"
    details = {
        "tally": {kind: dict(outcomes) for kind, outcomes in tally.items()},
        "idle_p99_milliseconds": p99_milliseconds(idle),
        "busy": as_series(busy),
        "memory_bytes": memory_bytes,
        "levels": {name: _levels_of(user, levels) for name, user in (("burst", RETURNING), ("flood", ABUSER))},
    }
    return Run(100 * accepted / requests, also, broken, details)


async def _send_burst(tab: Tab, *, to: str) -> int:
    requests = [tab.ask(events.CHAT_SEND, {"to": to, "text": f"queued {number}"}) for number in range(BURST)]
    return [ack.get("ok") for ack in await asyncio.gather(*requests)].count(True)


@asynccontextmanager
async def _calm_writing(tab: Tab, *, to: str) -> AsyncIterator[None]:
    """Send chat messages from a simulated browser tab during the block.

    `to` is the user who receives the messages. The messages stay within the rate limits.
    """

    async def write() -> None:
        while True:
            await asyncio.sleep(1 / CALM_PER_SECOND)
            await tab.send(events.CHAT_SEND, {"to": to, "text": "calm"})

    writing = asyncio.create_task(write())
    try:
        yield
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)


def _levels_of(user: str, levels: Sequence[BucketLevel]) -> dict[str, Any]:
    """Return the levels of a user's token bucket, for a figure.

    Times are in seconds since the user's first request. `taken` is how many requests took a token, and `refused` how
    many found no token. `points` has the level after each request, but only for a few of the refused requests.
    """
    own = [level for level in levels if level.user == user]
    points: list[dict[str, Any]] = []
    for level in own:
        since = level.at_seconds - own[0].at_seconds
        is_repeated = points and not points[-1]["taken"] and since - points[-1]["at"] < FEW_SECONDS
        if level.was_taken or not is_repeated:
            points.append({"at": round(since, 4), "level": round(level.level, 3), "taken": level.was_taken})
    taken = [level.was_taken for level in own].count(True)
    return {"points": points, "taken": taken, "refused": len(own) - taken}


@asynccontextmanager
async def _sampled_memory(target: Target) -> AsyncIterator[list[int]]:
    """Sample the resident memory of the server, in bytes, every 0.1 seconds.

    Yields the list of samples, which grows until the block ends. The first sample is taken before the block starts.
    """
    samples = [(await target.probe.read()).rss_bytes]

    async def sample() -> None:
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            samples.append((await target.probe.read()).rss_bytes)

    sampling = asyncio.create_task(sample())
    try:
        yield samples
    finally:
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)


def _without_server(target: Target) -> Target:
    """Return a copy of `target` that can be sent to another process.

    The copy has no `server`, because the handle of the server's process cannot be sent.
    """
    return dataclasses.replace(target, server=None)  # type: ignore[arg-type]  # an abuser does not need it


def _count(tally: Tally, kind: str, outcome: str) -> int:
    return tally.get(kind, {}).get(outcome, 0)


# no limit is raised, because the limits are what is measured
SCENARIO = Scenario(run, runs_alone=True)
