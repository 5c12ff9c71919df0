"""Opens two tabs a user, closes one of them, and counts which users a message still reaches in the other."""

import random
from collections.abc import Sequence

from lab.clients import Tab, in_turns, tabs
from lab.measure import Run
from lab.ring import messages, people, settle, until, write_to_next
from lab.servers import Target

SETTINGS: dict[str, str] = {}
ALONE = False

# the client's own event with the name that the library gives to a lost connection
DISCONNECT = "disconnect"
CLOSING_SECONDS = 5.0


async def run(target: Target, *, seed: int = 7, users: int = 50) -> Run:
    """`value` is the percentage of users whose open tab got the message written to them after the other was closed."""
    async with tabs(target, people(users), each=2) as opened:
        kept, closing = opened[::2], opened[1::2]
        await target.probe.reset()
        taken_before = await _write(kept, opened, "before")
        await _close(closing, random.Random(seed))  # noqa: S311 - a repeatable choice, not a secret
        closed = await _until_connections(target, users)
        taken_after = await _write(kept, kept, "after")
        await _close(kept, None)
        all_closed = await _until_connections(target, 0)
        held, _ = await target.probe.dead_ids_held([tab.ids[-1] for tab in opened])
        counts = await target.probe.counts()
    reached_before = sum(len(messages(tab, "before")) == 1 for tab in opened)
    reached = [tab.user for tab in kept if len(messages(tab, "after")) == 1]
    broken = None
    if reached_before < len(opened):
        broken = f"while both tabs were open the message reached {reached_before} of {len(opened)} tabs"
    elif not (closed and all_closed):
        broken = "the server did not notice that tabs were closed"
    elif min(taken_before, taken_after) < users:
        broken = "the server did not take every message"
    also = {"orphan_entries": held, "errors_logged": counts.errors_logged}
    return Run(100 * len(reached) / users, also, broken, {"users": users, "reached": reached})


async def _write(writers: Sequence[Tab], readers: Sequence[Tab], text: str) -> int:
    taken = await write_to_next(writers, text)
    await settle(readers)
    return taken


async def _close(closing: Sequence[Tab], chance: random.Random | None) -> None:
    """As a browser closes a tab; where there is `chance`, every other one says so by an event named `disconnect`."""
    ways = [tab.close for tab in closing]
    if chance is not None:
        for place in chance.sample(range(len(closing)), len(closing) // 2):
            ways[place] = lambda tab=closing[place]: tab.tell(DISCONNECT, {})  # type: ignore[misc]
    await in_turns(ways)


async def _until_connections(target: Target, count: int) -> bool:
    async def are_left() -> bool:
        return (await target.probe.read()).connections == count

    return await until(are_left, timeout=CLOSING_SECONDS)
