"""Loses connections, some cut and some half-open, lets everyone come back, and counts the dead ids the server keeps."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import pairwise
from statistics import median
from typing import Any

from lab.clients.chat_ring import (
    cut_and_reconnect,
    messages_received,
    people,
    poll_until,
    wait_until_delivered,
    write_to_next,
)
from lab.clients.tab import Person, Tab, tabs
from lab.results.run import Run
from lab.scenarios.scenario import Scenario
from lab.servers.target import Target

SETTINGS = {
    # every client comes from one address, and a half-open connection is counted until it is given up
    "SERVER_SOCKETS_PER_ADDRESS": "2000",
}

# rounds of cuts alone, with a look at memory after each; before them some that fill the server's caches
HEAP_ROUNDS = 4
WARM_UP_ROUNDS = 4
# the library keeps a closed connection, some 7 KiB, until its timer for the next heartbeat has run out
AFTERGLOW_SECONDS = 1.2
LOOKS_AT_MOST = 4
# heartbeats of 1 s and 1 s end a half-open connection within three
EXPIRY_SECONDS = 8.0


async def run(target: Target, *, seed: int = 7, users: int = 100, rounds: int = 5, is_heap_weighed: bool = True) -> Run:
    """`value` is how many of the `users` × `rounds` ids that died are still referenced on the server's heap.

    To weigh the heap as well takes more than half of the time.
    """
    everyone = people(users)
    random.Random(seed).shuffle(everyone)  # noqa: S311 - a repeatable choice, not a secret
    async with AsyncExitStack() as stack:
        steady = await stack.enter_async_context(tabs(target, everyone[::2], reconnection=True))
        moving = await stack.enter_async_context(tabs(target, everyone[1::2]))
        heap = await _heap_while_cut(target, steady) if is_heap_weighed else []
        lost: list[str] = []
        for _ in range(rounds):
            lost += [tab.ids[-1] for tab in (*steady, *moving)]
            moving = await _lose_all(stack, target, steady, moving, everyone[1::2])
        waited = await _wait_for_expiry(target, users)
        live = [*steady, *moving]
        broken = await _what_is_broken(target, live)
        held, references = await target.probe.dead_ids_held(lost)
    also = {"ids_per_live_socket": (held + users) / users}
    if heap:
        also["heap_bytes_per_reconnect"] = _growth(heap)
    details = {"ids_lost": len(lost), "references": references, "heap": heap, "connections": waited}
    return Run(held, also, broken, details)


async def _lose_all(
    stack: AsyncExitStack, target: Target, steady: Sequence[Tab], moving: Sequence[Tab], movers: Sequence[Person]
) -> list[Tab]:
    """Half are cut; half change networks: the old connection stays half-open, and they come back on a new one."""
    await asyncio.gather(*(tab.link.go_silent() for tab in moving))
    await cut_and_reconnect(steady)
    return await stack.enter_async_context(tabs(target, movers))


async def _heap_while_cut(target: Target, steady: Sequence[Tab]) -> list[dict[str, int]]:
    """Heap after each round, by reconnects so far. Half-open connections would blur it: they hold buffers for long."""
    tasks = (await target.probe.heap()).tasks
    for _ in range(WARM_UP_ROUNDS):
        await cut_and_reconnect(steady)
    series = []
    for number in range(HEAP_ROUNDS):
        await cut_and_reconnect(steady)
        # nothing tells from outside when the library's timers have run out
        await asyncio.sleep(AFTERGLOW_SECONDS)
        series.append({"reconnects": number * len(steady), "heap_bytes": await _heap_at_rest(target, tasks)})
    return series


async def _heap_at_rest(target: Target, tasks: int) -> int:
    """The heap at a moment with as many tasks as before any cut: between a PING and its PONG there are others."""
    for _ in range(LOOKS_AT_MOST):
        heap = await target.probe.heap()
        if heap.tasks == tasks:
            break
    return heap.size_bytes


def _growth(heap: Sequence[dict[str, int]]) -> float:
    """Bytes for each reconnect: the median of the rounds, as a cache that fills once makes one round jump."""
    reconnects = heap[1]["reconnects"]
    return median((now["heap_bytes"] - last["heap_bytes"]) / reconnects for last, now in pairwise(heap))


async def _has_connections(target: Target, count: int) -> bool:
    return (await target.probe.read()).connections == count


async def _wait_for_expiry(target: Target, users: int) -> list[dict[str, Any]]:
    """Waits until the server has given up every half-open connection; returns how many it held meanwhile."""
    clock, series = asyncio.get_running_loop().time, []
    started = clock()

    async def are_gone() -> bool:
        connections = (await target.probe.read()).connections
        series.append({"seconds": round(clock() - started, 2), "connections": connections})
        return connections == users

    await poll_until(are_gone, timeout=EXPIRY_SECONDS)
    return series


async def _what_is_broken(target: Target, live: Sequence[Tab]) -> str | None:
    if not await _has_connections(target, len(live)):
        return "the server did not come down to one connection a user when heartbeats had expired"
    # each process by itself: that a table of its own knows none of the others' users shows before any cut
    for port in {tab.link.target_port for tab in live}:
        await write_to_next([tab for tab in live if tab.link.target_port == port], "after it all")
    await wait_until_delivered(live)
    reached = sum(len(messages_received(tab, "after it all")) == 1 for tab in live)
    return None if reached == len(live) else f"only {reached} of {len(live)} users got the message written to them"


SCENARIO = Scenario(run, settings=SETTINGS)
