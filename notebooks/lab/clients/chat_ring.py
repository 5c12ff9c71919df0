"""Answers for what scenarios do alike: people who write in a ring, connections lost and back, waiting for facts.

In a ring each writes to the next, so that no one sender outruns a limit.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from good_server import events
from lab.clients.inbox import Received
from lab.clients.tab import Person, Tab, gather_bounded
from lab.servers.probe import FENCE

POLL_SECONDS = 0.05
FENCE_SECONDS = 10.0


def people(count: int, *, rooms: tuple[str, ...] = ()) -> list[Person]:
    """`user-000`, `user-001`, …"""
    return [Person(f"user-{number:03}", rooms=rooms) for number in range(count)]


async def write_to_next(writers: Sequence[Tab], text: str) -> int:
    """Each writes `text` to the next one's user; returns how many of the messages the server took."""
    readers = [*writers[1:], *writers[:1]]
    sending = [
        lambda writer=writer, to=reader.user: writer.ask(events.CHAT_SEND, {"to": to, "text": text})
        for writer, reader in zip(writers, readers, strict=True)
    ]
    return [ack.get("ok") for ack in await gather_bounded(sending)].count(True)


def messages_received(tab: Tab, text: str) -> list[Received]:
    """The messages with this text that a tab got and that were written to its user."""
    return tab.inbox.of(events.CHAT_MESSAGE, lambda data: data["text"] == text and data.get("to") == tab.user)


async def wait_until_delivered(tabs: Sequence[Tab]) -> None:
    """Returns when whatever had been sent to these tabs has arrived: a connection keeps its order, and an ack is last.

    This way what does not arrive need not be waited for.
    """
    # an event that no server knows: the contract answers it, whatever else a server does
    await gather_bounded([lambda tab=tab: tab.ask("lab:settle", {}) for tab in tabs])  # type: ignore[misc]
    if tabs and len(tabs[0].target.ports) > 1:
        await _wait_for_fences(tabs)


async def _wait_for_fences(tabs: Sequence[Tab]) -> None:
    """What one process says to another's sockets comes later than their acks: each process says a last word to each."""
    target, mark = tabs[0].target, secrets.token_hex(4)
    await target.probe.fence(target.namespace, [tab.ids[-1] for tab in tabs], mark)
    fences = (
        tab.received(FENCE, len(target.ports), where=lambda data: data["mark"] == mark, timeout=FENCE_SECONDS)
        for tab in tabs
    )
    await asyncio.gather(*fences)


async def cut_and_reconnect(tabs: Sequence[Tab]) -> None:
    """Resets the connections of tabs that reconnect by themselves; returns when all are connected again."""
    times = [tab.connects + 1 for tab in tabs]
    await asyncio.gather(*(tab.link.cut() for tab in tabs))
    await asyncio.gather(*(tab.connected(count) for tab, count in zip(tabs, times, strict=True)))


async def poll_until(holds: Callable[[], Awaitable[Any]], *, timeout: float) -> bool:
    """Asks again and again until `holds()` is true; False when it is not within `timeout` seconds."""
    deadline = asyncio.get_running_loop().time() + timeout
    while not await holds():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True
