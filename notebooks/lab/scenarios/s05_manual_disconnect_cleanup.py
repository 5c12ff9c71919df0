"""Scenario 05: count users who receive messages after one tab closes.

Each user has two tabs, and one of them closes. On a server of several processes, each user has two tabs on each
process.
"""

import random
from collections.abc import Collection, Sequence
from typing import Any

from lab.clients.chat_ring import messages_received, people, poll_until, wait_until_delivered, write_to_next
from lab.clients.tab import Tab, gather_bounded, tabs
from lab.results.run import Run
from lab.scenarios.presence_trace import trace_presence
from lab.scenarios.scenario import Scenario
from lab.servers.target import Target

SETTINGS = {
    # every client has the same address
    "SERVER_SOCKETS_PER_ADDRESS": "2000",
    "SERVER_CONNECTS_PER_SECOND_PER_ADDRESS": "2000",
}

# an event that the client sends itself; the library uses the same name for a lost connection
DISCONNECT = "disconnect"
CLOSING_SECONDS = 5.0


async def run(target: Target, *, seed: int = 7, users: int = 50, is_traced: bool = False) -> Run:
    """Measure the percentage of users whose open tab receives a message.

    The message is sent after the user's other tab was closed. The percentage is the `value` of the returned run. With
    `is_traced`, a few more users close their tabs, and messages are sent to these users repeatedly meanwhile. `seed`
    chooses half of the users: their other tab only sends an event, `disconnect`, and the server should close it.
    """
    users_by_event = random.Random(seed).sample(range(users), users // 2)  # noqa: S311 - a repeatable choice, not a secret
    processes = len(target.ports)
    async with tabs(target, people(users), each=2 * processes) as opened:
        # the first tabs of each user, one on each process
        kept = [tab for index, tab in enumerate(opened) if index // processes % 2 == 0]
        closing = [tab for index, tab in enumerate(opened) if index // processes % 2]
        writers = kept[::processes]
        await target.probe.reset()
        accepted = await _write(writers, opened, "before")
        await _close(closing, {user * processes + number for user in users_by_event for number in range(processes)})
        is_noticed = await _wait_for_connections(target, len(kept))
        emits_before = (await target.probe.counts()).emits
        accepted += await _write(writers, kept, "after")
        sent_on = (await target.probe.counts()).emits - emits_before
        await _close(kept, ())
        is_noticed &= await _wait_for_connections(target, 0)
        ids_held, _ = await target.probe.dead_ids_held([tab.ids[-1] for tab in opened])
        counts = await target.probe.counts()
    strips = await trace_presence(target) if is_traced else []
    reached_before = [_is_reached(tab, "before") for tab in opened].count(True)
    reached = [
        all(_is_reached(tab, "after") for tab in kept[first : first + processes])
        for first in range(0, len(kept), processes)
    ]
    broken = None
    if reached_before < len(opened):
        broken = f"while both tabs were open the message reached {reached_before} of {len(opened)} tabs"
    elif not is_noticed:
        broken = "the server did not notice that tabs were closed"
    elif accepted < 2 * users:
        broken = "the server did not accept every message"
    also = {"orphan_entries": ids_held, "errors_logged": counts.errors_logged}
    details = {"users": _by_user(writers, users_by_event, reached), "sent_on": sent_on, "strips": strips}
    return Run(100 * reached.count(True) / users, also, broken, details)


def _by_user(writers: Sequence[Tab], users_by_event: Collection[int], reached: Sequence[bool]) -> list[dict[str, Any]]:
    return [
        {
            "user": tab.user,
            "other_tab_closed_by": "event" if index in users_by_event else "closing",
            "reached": reached[index],
        }
        for index, tab in enumerate(writers)
    ]


async def _write(writers: Sequence[Tab], readers: Sequence[Tab], text: str) -> int:
    accepted = await write_to_next(writers, text)
    await wait_until_delivered(readers)
    return accepted


def _is_reached(tab: Tab, text: str) -> bool:
    return len(messages_received(tab, text)) == 1


async def _close(closing: Sequence[Tab], by_event: Collection[int]) -> None:
    """Close the tabs in `closing`, except those that `by_event` names.

    `by_event` contains indexes of `closing`. The tabs at these indexes only send an event with the name `disconnect`,
    and the server is expected to close their connections.
    """

    async def close(index: int, tab: Tab) -> None:
        await (tab.send(DISCONNECT, {}) if index in by_event else tab.close())

    await gather_bounded([lambda index=index, tab=tab: close(index, tab) for index, tab in enumerate(closing)])  # type: ignore[misc]


async def _wait_for_connections(target: Target, count: int) -> bool:
    async def are_left() -> bool:
        return (await target.probe.read()).connections == count

    return await poll_until(are_left, timeout=CLOSING_SECONDS)


SCENARIO = Scenario(run, settings=SETTINGS)
