"""Opens two tabs a user, closes one of them, and counts which users a message still reaches in the other.

On a server of several processes it is two tabs a user on each, of which one closes.
"""

import random
from collections.abc import Collection, Sequence

from lab.clients.chat_ring import messages_received, people, poll_until, wait_until_delivered, write_to_next
from lab.clients.tab import Tab, gather_bounded, tabs
from lab.results.run import Run
from lab.scenarios.scenario import Scenario
from lab.servers.target import Target

SETTINGS = {
    # every client comes from one address
    "SERVER_SOCKETS_PER_ADDRESS": "2000",
}

# the client's own event with the name that the library gives to a lost connection
DISCONNECT = "disconnect"
CLOSING_SECONDS = 5.0


async def run(target: Target, *, seed: int = 7, users: int = 50) -> Run:
    """`value` is the percentage of users whose open tab got the message written to them after the other was closed."""
    by_event = random.Random(seed).sample(range(users), users // 2)  # noqa: S311 - a repeatable choice, not a secret
    processes = len(target.ports)
    async with tabs(target, people(users), each=2 * processes) as opened:
        # the first so many of each user, one on each process
        kept = [tab for place, tab in enumerate(opened) if place // processes % 2 == 0]
        closing = [tab for place, tab in enumerate(opened) if place // processes % 2]
        writers = kept[::processes]
        await target.probe.reset()
        taken = await _write(writers, opened, "before")
        await _close(closing, {user * processes + number for user in by_event for number in range(processes)})
        closed = await _until_connections(target, len(kept))
        taken += await _write(writers, kept, "after")
        await _close(kept, ())
        closed &= await _until_connections(target, 0)
        held, _ = await target.probe.dead_ids_held([tab.ids[-1] for tab in opened])
        counts = await target.probe.counts()
    reached_before = [_is_reached(tab, "before") for tab in opened].count(True)
    reached = [
        all(_is_reached(tab, "after") for tab in kept[first : first + processes])
        for first in range(0, len(kept), processes)
    ]
    broken = None
    if reached_before < len(opened):
        broken = f"while both tabs were open the message reached {reached_before} of {len(opened)} tabs"
    elif not closed:
        broken = "the server did not notice that tabs were closed"
    elif taken < 2 * users:
        broken = "the server did not take every message"
    also = {"orphan_entries": held, "errors_logged": counts.errors_logged}
    details = [
        {
            "user": tab.user,
            "other_tab_closed_by": "event" if place in by_event else "closing",
            "reached": reached[place],
        }
        for place, tab in enumerate(writers)
    ]
    return Run(100 * reached.count(True) / users, also, broken, {"users": details})


async def _write(writers: Sequence[Tab], readers: Sequence[Tab], text: str) -> int:
    taken = await write_to_next(writers, text)
    await wait_until_delivered(readers)
    return taken


def _is_reached(tab: Tab, text: str) -> bool:
    return len(messages_received(tab, text)) == 1


async def _close(closing: Sequence[Tab], by_event: Collection[int]) -> None:
    """Closes tabs as a browser does; those at the places `by_event` send an event named `disconnect` instead."""

    async def close(place: int, tab: Tab) -> None:
        await (tab.tell(DISCONNECT, {}) if place in by_event else tab.close())

    await gather_bounded([lambda place=place, tab=tab: close(place, tab) for place, tab in enumerate(closing)])  # type: ignore[misc]


async def _until_connections(target: Target, count: int) -> bool:
    async def are_left() -> bool:
        return (await target.probe.read()).connections == count

    return await poll_until(are_left, timeout=CLOSING_SECONDS)


SCENARIO = Scenario(run, settings=SETTINGS)
