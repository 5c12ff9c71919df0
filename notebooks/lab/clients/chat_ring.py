"""Steps that many experiments share: send messages, cut connections, wait.

Often the simulated users send in a ring: each user writes to the next user. So all users send equally often, and no
user exceeds a rate limit.
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
    """Create `count` simulated users: `user-000`, `user-001` and so on. Their tokens have the claim `rooms`."""
    return [Person(f"user-{number:03}", rooms=rooms) for number in range(count)]


async def write_to_next(writers: Sequence[Tab], text: str) -> int:
    """Let each simulated browser tab write `text` to the next tab's user.

    Returns how many of the messages the server accepted.
    """
    readers = [*writers[1:], *writers[:1]]
    sending = [
        lambda writer=writer, to=reader.user: writer.ask(events.CHAT_SEND, {"to": to, "text": text})
        for writer, reader in zip(writers, readers, strict=True)
    ]
    return [ack.get("ok") for ack in await gather_bounded(sending)].count(True)


def messages_received(tab: Tab, text: str) -> list[Received]:
    """Return the messages with this text that a simulated tab received.

    Only messages that were sent to the user of this tab count.
    """
    return tab.inbox.of(events.CHAT_MESSAGE, lambda data: data["text"] == text and data.get("to") == tab.user)


async def wait_until_delivered(tabs: Sequence[Tab]) -> None:
    """Wait until everything sent to these simulated browser tabs has arrived.

    Each tab sends one more request. A connection keeps the order of its packets, so the ack of that request arrives
    last. A lost message does not make the function wait longer.
    """
    # no server knows this event, but the contract demands an ack for every event
    await gather_bounded([lambda tab=tab: tab.ask("lab:settle", {}) for tab in tabs])  # type: ignore[misc]
    if tabs and len(tabs[0].target.ports) > 1:
        await _wait_for_fences(tabs)


async def _wait_for_fences(tabs: Sequence[Tab]) -> None:
    """Wait until each simulated tab has received `FENCE` from every server process.

    A message from another process sometimes arrives later than an ack. So this function makes each server process emit
    the event `FENCE`. When the `FENCE` of a process arrives, all earlier messages of that process have arrived.
    """
    target, mark = tabs[0].target, secrets.token_hex(4)
    await target.probe.fence(target.namespace, [tab.ids[-1] for tab in tabs], mark)
    fences = (
        tab.received(FENCE, len(target.ports), where=lambda data: data["mark"] == mark, timeout=FENCE_SECONDS)
        for tab in tabs
    )
    await asyncio.gather(*fences)


async def cut_and_reconnect(tabs: Sequence[Tab]) -> None:
    """Reset the connections of simulated browser tabs, and wait for their reconnects.

    The tabs must be open with `reconnection=True`, so that they reconnect by themselves.
    """
    connects = [tab.connects + 1 for tab in tabs]
    await asyncio.gather(*(tab.link.cut() for tab in tabs))
    await asyncio.gather(*(tab.connected(count) for tab, count in zip(tabs, connects, strict=True)))


async def poll_until(holds: Callable[[], Awaitable[Any]], *, timeout: float) -> bool:
    """Call `holds()` repeatedly until it returns true.

    Returns True when `holds()` has returned true, or False after `timeout` seconds.
    """
    deadline = asyncio.get_running_loop().time() + timeout
    while not await holds():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True
