"""Scenario 03: count the users who still receive messages after a reconnect.

A page sends its login event only once. Then its connection is cut, and the client library reconnects by itself. A
server that joins the user's room only at the login event does not join it after the reconnect.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Any

from good_server import events
from good_server.rooms import user_room
from lab.clients.chat_ring import cut_and_reconnect, messages_received, people, wait_until_delivered, write_to_next
from lab.clients.sampling import sampled
from lab.clients.tab import Tab, gather_bounded, tabs
from lab.results.run import Run
from lab.scenarios.scenario import Scenario
from lab.servers.state_client import Emit, StateClient
from lab.servers.target import Target

# only this mistake has the event; a server that joins rooms at connect answers `unknown_event`, which is harmless
SESSION_LOGIN = "session:login"
# the pause between the steps of a traced run, so that its figure shows them apart
STEP_SECONDS = 0.3


async def run(target: Target, *, seed: int = 7, users: int = 50, is_traced: bool = False) -> Run:
    """Measure the percentage of users who receive messages after a reconnect.

    All connections are cut, and the tabs reconnect by themselves. The percentage is the `value` of the returned run.
    `seed` has no effect, because nothing is random. With `is_traced` the run also samples how many connections and
    rooms are in use, and records the server's emits.
    """
    clock = asyncio.get_running_loop().time
    async with tabs(target, people(users), reconnection=True) as ring:
        trace = _Trace(target, ring)
        async with trace.record() if is_traced else nullcontext():
            await asyncio.sleep(STEP_SECONDS if is_traced else 0)
            await gather_bounded([lambda tab=tab: tab.ask(SESSION_LOGIN, {}) for tab in ring])  # type: ignore[misc]
            accepted_before = await _write(ring, "before")
            await asyncio.sleep(STEP_SECONDS if is_traced else 0)
            cut_at = clock()
            await cut_and_reconnect(ring)
            await asyncio.sleep(STEP_SECONDS if is_traced else 0)
            accepted_after = await _write(ring, "after")
            await asyncio.sleep(STEP_SECONDS if is_traced else 0)
    also = {"received_before": _percentage_reached(ring, "before")}
    broken = None
    if also["received_before"] < 100:
        broken = f"before the cut only {also['received_before']:.0f} % received their message"
    elif min(accepted_before, accepted_after) < users:
        broken = "the server did not accept every message"
    details = {
        "cut": trace.seconds(cut_at),
        "accepted": {"before": accepted_before, "after": accepted_after},
        "samples": trace.samples,
        "timeline": [trace.timeline(tab) for tab in ring],
    }
    return Run(_percentage_reached(ring, "after"), also, broken, details)


class _Trace:
    """Records the server's emits, and samples its connections and rooms.

    A sample has the number of connections and the number of rooms in use. Times are in seconds since the start of the
    run.
    """

    def __init__(self, target: Target, ring: Sequence[Tab]) -> None:
        self._target, self._ring = target, ring
        self._state = StateClient(target.probe)
        self._started = asyncio.get_running_loop().time()
        self._emits: Sequence[Emit] = ()
        self.samples: list[dict[str, Any]] = []

    @asynccontextmanager
    async def record(self) -> AsyncIterator[None]:
        """Record the server's emits, and take samples, in an `async with` block.

        Samples are taken until the block ends. Each sample has the number of connections and the number of rooms in
        use.
        """
        await self._state.record_emits()
        async with sampled(self._sample, every_seconds=0.05) as samples:
            yield
        self.samples = [{**sample, "seconds": self.seconds(sample.pop("at_seconds"))} for sample in samples]
        self._emits = await self._state.emits()

    async def _sample(self) -> dict[str, Any]:
        rooms = [user_room(tab.user) for tab in self._ring]
        # at the same time, because both change within milliseconds
        occupied, reading = await asyncio.gather(
            self._state.occupied(self._target.namespace, rooms), self._target.probe.read()
        )
        return {"connections": reading.connections, "rooms": len(occupied)}

    def seconds(self, at: float) -> float:
        return round(at - self._started, 3)

    def timeline(self, tab: Tab) -> dict[str, Any]:
        """Return when a tab reconnected, and the times of its messages.

        `sent` are the times at which the server emitted to the room of the tab's user. `received` are the times at
        which messages arrived; a lost message has no time in `received`.
        """
        arrived = [received for text in ("before", "after") for received in messages_received(tab, text)]
        room = user_room(tab.user)
        sent = [emit for emit in self._emits if emit.event == events.CHAT_MESSAGE and emit.rooms[0] == room]
        return {
            "user": tab.user,
            "back": self.seconds(tab.inbox.of("connect")[-1].at_seconds),
            "sent": [self.seconds(emit.at_seconds) for emit in sent],
            "received": [self.seconds(received.at_seconds) for received in arrived],
        }


async def _write(ring: Sequence[Tab], text: str) -> int:
    accepted = await write_to_next(ring, text)
    await wait_until_delivered(ring)
    return accepted


def _percentage_reached(ring: Sequence[Tab], text: str) -> float:
    return 100 * sum(len(messages_received(tab, text)) == 1 for tab in ring) / len(ring)


SCENARIO = Scenario(run)
