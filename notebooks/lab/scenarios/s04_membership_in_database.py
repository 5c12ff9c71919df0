"""Scenario 04: count the messages of a room that its members receive.

First each member closes one of two tabs. Later the server is killed, and half of the members come back.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from good_server import events
from good_server.rooms import user_room
from lab.clients.chat_ring import people, poll_until, wait_until_delivered
from lab.clients.sampling import sampled
from lab.clients.tab import Person, Tab, gather_bounded, tabs
from lab.results.run import Run
from lab.results.statistics import percentile
from lab.scenarios.scenario import Scenario
from lab.servers.state_client import StateClient
from lab.servers.target import Target

SETTINGS = {
    # every client has the same address
    "SERVER_SOCKETS_PER_ADDRESS": "2000",
    "SERVER_CONNECTS_PER_SECOND_PER_ADDRESS": "2000",
}

ROOM = "job:17"
# a member with a single tab, who closes nothing; so one member may always write
WRITER = Person("writer", rooms=(ROOM,))
CLOSING_SECONDS = 5.0
# the pause between the steps of a traced run, so that its figure shows them apart
STEP_SECONDS = 0.3


async def run(target: Target, *, seed: int = 7, users: int = 50, messages: int = 4, is_traced: bool = False) -> Run:
    """Measure the percentage of a room's messages that its members receive.

    The members are `users` users in one room. After each member has closed one of two tabs, `messages` messages are
    sent. The percentage is the `value` of the returned run. If `is_traced` is True, the run also counts repeatedly how
    many members are in the server's database, and how many are connected.
    """
    members = people(users, rooms=(ROOM,))
    random.Random(seed).shuffle(members)  # noqa: S311 - a repeatable choice, not a secret
    half = users // 2
    trace = _Trace(target, members, is_traced=is_traced)
    async with AsyncExitStack() as stack:
        (writer,) = await stack.enter_async_context(tabs(target, [WRITER], reconnection=True))
        back = await stack.enter_async_context(tabs(target, members[:half], reconnection=True))
        gone = await stack.enter_async_context(tabs(target, members[half:]))
        second = await stack.enter_async_context(tabs(target, members))
        async with trace.record():
            broken = await _close_second_tabs(trace, writer, [*back, *gone], second)
            arrived = len(await _write(writer, [*back, *gone], messages))
            await trace.begin("opened again")
            await stack.enter_async_context(tabs(target, members))
            await trace.pause()
        await _kill_and_start_again(trace, target)
        async with trace.record():
            await asyncio.gather(*(tab.connected(2) for tab in (writer, *back)))
            await target.probe.reset()
            latencies = await _write(writer, back, messages)
            counts = await target.probe.counts()
            await trace.pause()
    if broken is None and len(latencies) < messages * half:
        broken = f"after the kill {len(latencies)} of {messages * half} messages reached the members who came back"
    also = {
        "ghost_sends": counts.ghost_addresses / messages,
        "sql_statements_per_message": counts.sql_statements / messages,
        "delivery_milliseconds_p50": percentile(latencies, 50) * 1000 if latencies else float("nan"),
    }
    details = {"back": half, "addresses": counts.addresses / messages, "steps": trace.steps, "samples": trace.samples}
    return Run(100 * arrived / (users * messages), also, broken, details)


async def _close_second_tabs(trace: "_Trace", writer: Tab, kept: Sequence[Tab], second: Sequence[Tab]) -> str | None:
    """Send one message to the room, then close the second tabs.

    The room is `ROOM`, in which all members are. Each member has two tabs: a tab in `kept` stays open, and a tab in
    `second` is closed. Returns None if all tabs received the message and the server noticed the closed tabs, else a
    sentence that says what failed.
    """
    arrived = len(await _write(writer, [*kept, *second], 1, "before"))
    await trace.begin("one of two tabs closed")
    await gather_bounded([tab.close for tab in second])

    async def are_closed() -> bool:
        return (await writer.target.probe.read()).connections == len(kept) + 1

    is_noticed = await poll_until(are_closed, timeout=CLOSING_SECONDS)
    if arrived < len(kept) + len(second):
        return f"while all tabs were open a message reached {arrived} of {len(kept) + len(second)} tabs"
    return None if is_noticed else "the server did not notice that tabs were closed"


async def _write(writer: Tab, readers: Sequence[Tab], messages: int, text: str = "after") -> list[float]:
    """Send `messages` messages to the room `ROOM`.

    `writer` sends them, and `readers` are the tabs that should receive them. Each message starts with `text`. Returns
    the delivery times in seconds, one per message and reader. A message that did not arrive has no delivery time.
    """
    latencies = []
    for number in range(messages):
        sent_at, sent = asyncio.get_running_loop().time(), f"{text} {number} {len(readers)}"
        await writer.ask(events.CHAT_SEND, {"room": ROOM, "text": sent})
        await wait_until_delivered(readers)
        latencies += [at - sent_at for tab in readers for at in _arrivals(tab, sent)[:1]]
    return latencies


def _arrivals(tab: Tab, text: str) -> list[float]:
    return [found.at_seconds for found in tab.inbox.of(events.CHAT_MESSAGE, lambda data: data["text"] == text)]


async def _kill_and_start_again(trace: "_Trace", target: Target) -> None:
    trace.note("killed")
    await target.server.kill()
    await target.server.start_again()
    trace.note("started again")


class _Trace:
    """Counts a room's members in the database, and its connected members.

    It counts repeatedly, or never if `is_traced` is False. Times are in seconds since the start of the run.
    """

    def __init__(self, target: Target, members: Sequence[Person], *, is_traced: bool) -> None:
        self._target, self._is_traced = target, is_traced
        self._rooms = [user_room(person.user) for person in (*members, WRITER)]
        self._clock = asyncio.get_running_loop().time
        self._started = self._clock()
        self.steps: dict[str, float] = {}
        self.samples: list[dict[str, Any]] = []

    async def pause(self) -> None:
        """Sleep for `STEP_SECONDS` seconds if the run is traced.

        A traced run counts members repeatedly; the pauses separate its steps in a figure.
        """
        await asyncio.sleep(STEP_SECONDS if self._is_traced else 0)

    async def begin(self, step: str) -> None:
        """Record the time at which a step of the experiment begins.

        `step` describes the step, such as `opened again`. In a traced run, which counts the members of a room
        repeatedly, this method first waits `STEP_SECONDS`.
        """
        await self.pause()
        self.note(step)

    def note(self, step: str) -> None:
        self.steps[step] = round(self._clock() - self._started, 3)

    @asynccontextmanager
    async def record(self) -> AsyncIterator[None]:
        """Count a room's members repeatedly until the `async with` block ends.

        It counts the members in the database and the connected members. In a run that is not traced, it counts nothing.
        """
        if not self._is_traced:
            yield
            return
        async with sampled(self._sample, every_seconds=0.05) as samples:
            yield
        self.samples += [{**sample, "seconds": round(sample["at_seconds"] - self._started, 3)} for sample in samples]

    async def _sample(self) -> dict[str, Any]:
        state = StateClient(self._target.probe)
        connected = await state.occupied(self._target.namespace, self._rooms)
        sockets = await state.occupants(self._target.namespace, ROOM)
        in_room = {room for rooms in sockets.values() for room in rooms} & set(self._rooms)
        return {"rows": await state.rows(), "connected": len(connected), "in_room": len(in_room)}


SCENARIO = Scenario(run, settings=SETTINGS)
