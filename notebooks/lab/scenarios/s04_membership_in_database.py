"""Scenario 04: count the dead addresses that a room message goes to.

The server is killed while a job room is full. Half of the members reconnect, the others stay away.
"""

import asyncio
import random
from collections.abc import Sequence

from good_server import events
from lab.clients.chat_ring import people, wait_until_delivered
from lab.clients.tab import Tab, tabs
from lab.results.run import Run
from lab.results.statistics import percentile
from lab.scenarios.scenario import Scenario
from lab.servers.target import Target

ROOM = "job:17"


async def run(target: Target, *, seed: int = 7, users: int = 100, messages: int = 10) -> Run:
    """Count the dead addresses that each room message goes to.

    A dead address belongs to no connected socket. The count per message is the `value` of the returned run.
    """
    members = people(users, rooms=(ROOM,))
    random.Random(seed).shuffle(members)  # noqa: S311 - a repeatable choice, not a secret
    half = users // 2
    async with (
        tabs(target, members[:half], reconnection=True) as returning,
        tabs(target, members[half:]) as gone,
    ):
        reached_before = await _members_reached(returning[0], [*returning[1:], *gone])
        await target.server.kill()
        await target.server.start_again()
        await asyncio.gather(*(tab.connected(2) for tab in returning))
        await target.probe.reset()
        latencies = await _write_in_turn(returning, messages)
        counts = await target.probe.counts()
    expected = messages * (half - 1)
    broken = None
    if reached_before < users - 1:
        broken = f"before the kill a message reached {reached_before} of {users - 1} other members"
    elif len(latencies) < expected:
        broken = f"{len(latencies)} of {expected} deliveries reached the members who reconnected"
    also = {
        "sql_statements_per_message": counts.sql_statements / messages,
        "sends_to_nobody": counts.ghost_addresses,
        "delivery_milliseconds_p50": percentile(latencies, 50) * 1000 if latencies else float("nan"),
    }
    details = {"members": users, "back": half, "addresses": counts.addresses / messages, "messages": messages}
    return Run(counts.ghost_addresses / messages, also, broken, details)


async def _members_reached(writer: Tab, others: Sequence[Tab]) -> int:
    await writer.ask(events.CHAT_SEND, {"room": ROOM, "text": "before"})
    await wait_until_delivered(others)
    return sum(len(tab.inbox.of(events.CHAT_MESSAGE)) == 1 for tab in others)


async def _write_in_turn(ring: Sequence[Tab], messages: int) -> list[float]:
    """Let the members of the room write one after the other.

    Returns the delivery times in seconds, one per message and receiver. A message that did not arrive has no delivery
    time.
    """
    latencies = []
    for number in range(messages):
        writer, text = ring[number % len(ring)], f"after {number}"
        sent_at = asyncio.get_running_loop().time()
        await writer.ask(events.CHAT_SEND, {"room": ROOM, "text": text})
        await wait_until_delivered(ring)
        for tab in ring:
            arrived = tab.inbox.of(events.CHAT_MESSAGE, lambda data, text=text: data["text"] == text)  # type: ignore[misc]
            latencies += [received.at_seconds - sent_at for received in arrived]
    return latencies


SCENARIO = Scenario(run)
