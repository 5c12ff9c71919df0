"""Scenario 03: count the users who still receive messages after a reconnect.

A page logs in once, its connection is cut, and the client library reconnects by itself.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from lab.clients.chat_ring import cut_and_reconnect, messages_received, people, wait_until_delivered, write_to_next
from lab.clients.tab import Tab, gather_bounded, tabs
from lab.results.run import Run
from lab.scenarios.scenario import Scenario
from lab.servers.target import Target

# only this mistake has the event; a server that joins rooms at connect answers `unknown_event`, which is harmless
SESSION_LOGIN = "session:login"


async def run(target: Target, *, seed: int = 7, users: int = 50) -> Run:
    """Measure the percentage of users who receive messages after the cut.

    It is the `value` of the returned run. `seed` has no effect, because nothing is random.
    """
    clock = asyncio.get_running_loop().time
    async with tabs(target, people(users), reconnection=True) as ring:
        started = clock()
        await gather_bounded([lambda tab=tab: tab.ask(SESSION_LOGIN, {}) for tab in ring])  # type: ignore[misc]
        accepted_before = await _write(ring, "before")
        cut_at = clock()
        await cut_and_reconnect(ring)
        accepted_after = await _write(ring, "after")
    also = {"received_before": _percentage_reached(ring, "before")}
    broken = None
    if also["received_before"] < 100:
        broken = f"before the cut only {also['received_before']:.0f} % received their message"
    elif min(accepted_before, accepted_after) < users:
        broken = "the server did not accept every message"
    details = {"cut": round(cut_at - started, 3), "timeline": [_timeline(tab, started) for tab in ring]}
    return Run(_percentage_reached(ring, "after"), also, broken, details)


async def _write(ring: Sequence[Tab], text: str) -> int:
    accepted = await write_to_next(ring, text)
    await wait_until_delivered(ring)
    return accepted


def _percentage_reached(ring: Sequence[Tab], text: str) -> float:
    return 100 * sum(len(messages_received(tab, text)) == 1 for tab in ring) / len(ring)


def _timeline(tab: Tab, started: float) -> dict[str, Any]:
    """Return when a tab reconnected and when its messages arrived.

    Times are in seconds since the first login. A message that did not arrive has no time.
    """
    arrived = {text: messages_received(tab, text) for text in ("before", "after")}
    return {
        "user": tab.user,
        "back": round(tab.inbox.of("connect")[-1].at_seconds - started, 3),
        **{text: round(received[0].at_seconds - started, 3) for text, received in arrived.items() if received},
    }


SCENARIO = Scenario(run)
