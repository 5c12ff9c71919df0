"""Scenario 01: count the dead socket ids that a server keeps.

A socket id is dead when its connection is lost. In each round, half of the connections are cut, and the others become
half-open: the server notices their loss only at the heartbeat timeout. Then all users reconnect.
"""

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
    # every client has the same address, and a half-open connection counts until the server drops it
    "SERVER_SOCKETS_PER_ADDRESS": "2000",
    "SERVER_CONNECTS_PER_SECOND_PER_ADDRESS": "2000",
}

# rounds with cuts only, and a heap measurement after each; the warm-up rounds fill the server's caches
HEAP_ROUNDS = 4
WARM_UP_ROUNDS = 4
# the library keeps a closed connection (about 7 KiB) until the timer for its next heartbeat fires
HEARTBEAT_TIMER_SECONDS = 1.2
HEAP_READINGS_AT_MOST = 4
# a ping interval and a ping timeout of 1 s each end a half-open connection within three seconds
EXPIRY_SECONDS = 8.0


# the shortest time from one search of the heap to the next
SEARCH_SECONDS = 0.6
# a WebSocket frame with one Engine.IO PING; on a silent connection it gets no answer
PING_FRAME = b"\x81\x012"


class _Trace:
    """Records samples: how many connections and socket ids a server has.

    The ids on its heap are counted only if `is_traced` is True, because searching the heap blocks the server.
    """

    def __init__(self, target: Target, opened: Sequence[Tab], *, is_traced: bool) -> None:
        self._target, self._is_traced = target, is_traced
        self._clock = asyncio.get_running_loop().time
        self._started = self._next_search = self._clock()
        # every tab that was ever open
        self.tabs = list(opened)
        self.lost_at: list[float] = []
        self.samples: list[dict[str, float]] = []

    def seconds(self, at: float | None = None) -> float:
        return round((self._clock() if at is None else at) - self._started, 3)

    async def sample(self, *, is_last: bool = False) -> int:
        """Add one sample to `samples`; return the number of connections.

        If `is_traced` was True when this object was created, some samples also have the number of the tabs' socket ids
        on the server's heap. These ids are counted at most once every `SEARCH_SECONDS` seconds, and always in the last
        sample.
        """
        # the search comes last, because it blocks the server: a slow one can cost connections
        connections = (await self._target.probe.read()).connections
        sample: dict[str, float] = {"seconds": self.seconds(), "connections": connections}
        if self._is_traced and (is_last or self._clock() >= self._next_search):
            ids, began = [sid for tab in self.tabs for sid in tab.ids], self._clock()
            sample["ids_held"] = (await self._target.probe.dead_ids_held(ids))[0]
            # on a busy machine a search takes long, and the server needs time between two of them
            self._next_search = self._clock() + max(SEARCH_SECONDS, 2 * (self._clock() - began))
        self.samples.append(sample)
        return connections

    def details(self) -> dict[str, Any]:
        lost = (entry for tab in self.tabs for entry in tab.link.lost_to_client)
        pings = sorted(self.seconds(at) for at, data in lost if data == PING_FRAME)
        return {"samples": self.samples, "lost_at": self.lost_at, "unanswered_pings": pings}


async def run(
    target: Target,
    *,
    seed: int = 7,
    users: int = 100,
    rounds: int = 5,
    is_heap_weighed: bool = True,
    is_traced: bool = False,
) -> Run:
    """Count the dead socket ids that the server's heap still references.

    A socket id is dead when its connection is lost. The count is the `value` of the returned run. In total, `users` ×
    `rounds` ids become dead. With `is_heap_weighed` the size of the heap is measured too, which takes more than half of
    the time. With `is_traced` the ids are counted repeatedly during the run.
    """
    everyone = people(users)
    random.Random(seed).shuffle(everyone)  # noqa: S311 - a repeatable choice, not a secret
    async with AsyncExitStack() as stack:
        steady = await stack.enter_async_context(tabs(target, everyone[::2], reconnection=True))
        moving = await stack.enter_async_context(tabs(target, everyone[1::2]))
        heap = await _heap_after_cuts(target, steady) if is_heap_weighed else []
        trace = _Trace(target, [*steady, *moving], is_traced=is_traced)
        await trace.sample()
        lost_ids: list[str] = []
        for _ in range(rounds):
            lost_ids += [tab.ids[-1] for tab in (*steady, *moving)]
            trace.lost_at.append(trace.seconds())
            moving = await _lose_all_connections(stack, target, steady, moving, everyone[1::2])
            trace.tabs += moving
            await trace.sample()
        await _wait_for_expiry(trace, users)
        await target.probe.reset()
        broken = await _failed_precondition(target, [*steady, *moving])
        emits = (await target.probe.counts()).emits
        await trace.sample(is_last=True)
        ids_held, references = await target.probe.dead_ids_held(lost_ids)
    also = {"ids_per_live_socket": (ids_held + users) / users, "emits_per_message": emits / users}
    if heap:
        also["heap_bytes_per_reconnect"] = _bytes_per_reconnect(heap)
    details = {"ids_lost": len(lost_ids), "references": references, "heap": heap, **trace.details()}
    return Run(ids_held, also, broken, details)


async def _lose_all_connections(
    stack: AsyncExitStack, target: Target, steady: Sequence[Tab], moving: Sequence[Tab], movers: Sequence[Person]
) -> list[Tab]:
    """Cut the connections of `steady`, and make those of `moving` half-open.

    `steady` and `moving` are lists of tabs. A connection becomes half-open (the server does not notice its loss at
    once) because its user changes to another network. Then all users reconnect. `movers` are the users of `moving`.
    They reconnect with new tabs, which the function returns. The new tabs stay open until `stack` is closed.
    """
    await asyncio.gather(*(tab.link.go_silent() for tab in moving))
    await cut_and_reconnect(steady)
    return await stack.enter_async_context(tabs(target, movers))


async def _heap_after_cuts(target: Target, steady: Sequence[Tab]) -> list[dict[str, int]]:
    """Measure the size of the server's heap after each round of cuts.

    In each round the connections of all tabs in `steady` are cut. The first rounds are a warm-up, without a
    measurement. Returns one dict per measured round: `reconnects` is the number of reconnects since the first
    measurement, and `heap_bytes` the size. No connection becomes half-open here, because half-open connections hold
    buffers for a long time and would hide the growth of the heap.
    """
    tasks = (await target.probe.heap()).tasks
    for _ in range(WARM_UP_ROUNDS):
        await cut_and_reconnect(steady)
    series = []
    for number in range(HEAP_ROUNDS):
        await cut_and_reconnect(steady)
        # there is no way to see from outside when the library's timers have fired
        await asyncio.sleep(HEARTBEAT_TIMER_SECONDS)
        series.append({"reconnects": number * len(steady), "heap_bytes": await _heap_bytes_when_idle(target, tasks)})
    return series


async def _heap_bytes_when_idle(target: Target, tasks: int) -> int:
    """Return the size of the server's heap while the server is idle.

    `tasks` is the number of asyncio tasks of an idle server. Between a PING and its PONG the server runs more tasks,
    and these take memory. So the heap is measured again until the server has `tasks` tasks. After
    `HEAP_READINGS_AT_MOST` measurements, the last size is returned in any case.
    """
    for _ in range(HEAP_READINGS_AT_MOST):
        heap = await target.probe.heap()
        if heap.tasks == tasks:
            break
    return heap.size_bytes


def _bytes_per_reconnect(heap: Sequence[dict[str, int]]) -> float:
    """Return the median growth of the server's heap per reconnect, in bytes.

    `heap` is the result of `_heap_after_cuts`: one dict per round. When a cache of the server fills, the heap grows
    much in a single round. Such a round does not change the median.
    """
    reconnects = heap[1]["reconnects"]
    return median((now["heap_bytes"] - last["heap_bytes"]) / reconnects for last, now in pairwise(heap))


async def _has_connections(target: Target, count: int) -> bool:
    return (await target.probe.read()).connections == count


async def _wait_for_expiry(trace: _Trace, users: int) -> None:
    """Wait until the server has dropped every half-open connection.

    Then `users` connections are left, one per user. Each check adds a sample to `trace`. The wait ends after
    `EXPIRY_SECONDS` seconds in any case.
    """

    async def are_gone() -> bool:
        return await trace.sample() == users

    await poll_until(are_gone, timeout=EXPIRY_SECONDS)


async def _failed_precondition(target: Target, live: Sequence[Tab]) -> str | None:
    if not await _has_connections(target, len(live)):
        return "after the heartbeat timeout the server still had more than one connection per user"
    # one ring per process: a table in one process does not know the users of another, even before a cut
    for port in {tab.link.target_port for tab in live}:
        await write_to_next([tab for tab in live if tab.link.target_port == port], "at the end")
    await wait_until_delivered(live)
    reached_users = sum(len(messages_received(tab, "at the end")) == 1 for tab in live)
    return None if reached_users == len(live) else f"only {reached_users} of {len(live)} users received their message"


SCENARIO = Scenario(run, settings=SETTINGS, primary_only={"is_heap_weighed": False})
