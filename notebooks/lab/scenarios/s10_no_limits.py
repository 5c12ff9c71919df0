"""Scenario 10: count the abusive requests that a server accepts.

One client with a valid token sends as fast as it can, while other users wait for their acks.
"""

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
# messages that a page sends at once after it was offline; within the contract's default limits
BURST = 40
SAMPLE_SECONDS = 0.1


async def run(target: Target, *, seed: int = 7, bystanders: int = 10, rooms: int = 2000, chats: int = 5000) -> Run:
    """Measure the percentage of abusive requests that the server accepts.

    It is the `value` of the returned run. `seed` has no effect, because nothing is random.
    """
    async with (
        tabs(target, people(bystanders)) as ring,
        tabs(target, [Person("back-online")]) as (returning,),
    ):
        burst_acks = await _send_burst(returning, to=ring[0].user)
        async with chat_on_schedule(ring) as idle:
            await asyncio.sleep(IDLE_SECONDS)
        async with chat_on_schedule(ring) as busy, _sampled_memory(target) as memory_bytes:
            # in its own process, so that the bystanders wait for the server and not for the abuser
            tally = await in_own_process(abuse, _without_server(target), rooms, chats)
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
    }
    return Run(100 * accepted / requests, also, broken, details)


async def _send_burst(tab: Tab, *, to: str) -> int:
    requests = [tab.ask(events.CHAT_SEND, {"to": to, "text": f"queued {number}"}) for number in range(BURST)]
    return [ack.get("ok") for ack in await asyncio.gather(*requests)].count(True)


@asynccontextmanager
async def _sampled_memory(target: Target) -> AsyncIterator[list[int]]:
    """Sample the resident memory of the server, in bytes, every 0.1 seconds.

    The first sample is taken before the `async with` block starts.
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
    """Return a copy of the target for use in another process.

    The copy has no server, because the handle of a process cannot be sent to another process.
    """
    return dataclasses.replace(target, server=None)  # type: ignore[arg-type]  # an abuser does not need it


def _count(tally: Tally, kind: str, outcome: str) -> int:
    return tally.get(kind, {}).get(outcome, 0)


# no limit is raised, because the limits are what is measured
SCENARIO = Scenario(run, runs_alone=True)
