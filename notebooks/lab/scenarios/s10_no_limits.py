"""Lets one client with a valid token do as it likes, and counts what the server does for it and what others wait."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from good_server import events
from lab.clients.abuser import Tally, abuse
from lab.clients.bystanders import as_series, chat_on_schedule, p99_milliseconds
from lab.clients.chat_ring import people
from lab.clients.tab import Person, Tab, tabs
from lab.results.run import Run
from lab.scenarios.scenario import Scenario
from lab.servers.target import Target
from lab.system.own_process import in_own_process

IDLE_SECONDS = 0.5
# what a page that was offline for a while sends at once; within the contract's default limits
BURST = 40
SAMPLE_SECONDS = 0.1


async def run(target: Target, *, seed: int = 7, bystanders: int = 10, rooms: int = 2000, chats: int = 5000) -> Run:
    """`value` is the percentage of abusive requests that were answered with ok. Nothing here is random."""
    async with (
        tabs(target, people(bystanders)) as ring,
        tabs(target, [Person("back-online")]) as (returning,),
    ):
        burst = await _accepted_of_a_burst(returning, to=ring[0].user)
        async with chat_on_schedule(ring) as idle:
            await asyncio.sleep(IDLE_SECONDS)
        async with chat_on_schedule(ring) as busy, _sampled_memory(target) as memory_bytes:
            # from a process of its own, so that what the bystanders wait is the server's doing
            tally = await in_own_process(abuse, _address(target), rooms, chats)
    accepted = sum(_count(tally, kind, "accepted") for kind in tally)
    asked = sum(sum(outcomes.values()) for outcomes in tally.values())
    also = {
        "rooms_created": _count(tally, "room", "accepted"),
        "memory_growth_bytes": max(memory_bytes) - memory_bytes[0],
        "malformed_unanswered": _count(tally, "malformed", "unanswered"),
        "bystander_p99_milliseconds": p99_milliseconds(busy),
    }
    broken = None if burst == BURST else f"{burst} of {BURST} messages of a legitimate burst were accepted"
    details = {
        "tally": {kind: dict(outcomes) for kind, outcomes in tally.items()},
        "idle_p99_milliseconds": p99_milliseconds(idle),
        "busy": as_series(busy),
        "memory_bytes": memory_bytes,
    }
    return Run(100 * accepted / asked, also, broken, details)


async def _accepted_of_a_burst(tab: Tab, *, to: str) -> int:
    asks = [tab.ask(events.CHAT_SEND, {"to": to, "text": f"kept {number}"}) for number in range(BURST)]
    return [ack.get("ok") for ack in await asyncio.gather(*asks)].count(True)


@asynccontextmanager
async def _sampled_memory(target: Target) -> AsyncIterator[list[int]]:
    """The server's resident memory now and, while inside, ten times a second."""
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


def _address(target: Target) -> Target:
    """Where the server is, without the hold on its process, which no other process can be given."""
    return dataclasses.replace(target, server=None)  # type: ignore[arg-type]  # an abuser has no use for it


def _count(tally: Tally, kind: str, outcome: str) -> int:
    return tally.get(kind, {}).get(outcome, 0)


# none raised: the limits are what is measured
SCENARIO = Scenario(run, runs_alone=True)
