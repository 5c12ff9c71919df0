"""Records how a server handles messages to a user whose tabs close.

Each user has two tabs, and closes one after the other. The record shows whether the server emitted each message, and
whether an open tab received it.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any

from good_server import events
from good_server.rooms import user_room
from lab.clients.tab import Person, Tab, tabs
from lab.servers.state_client import Emit, StateClient
from lab.servers.target import Target

USERS = 6
# each user has a writer, who stays within the burst of the rate limit for chat
MESSAGES = 26
EVERY_SECONDS = 0.1
FIRST_CLOSE_SECONDS, SECOND_CLOSE_SECONDS = 0.3, 1.6
# a user closes a tab this much later than the user before, so that the strips form steps
LATER_SECONDS = 0.12


@dataclass(frozen=True)
class _Sent:
    """A message that the server accepted, with its text and times.

    `asked` is the time at which the message was sent, and `acked` the time at which its ack arrived. Both are on the
    event loop's clock.
    """

    text: str
    asked: float
    acked: float


async def trace_presence(target: Target) -> list[dict[str, Any]]:
    """Send messages to users repeatedly while the users close their tabs.

    Each user closes first one tab, then the other. Returns one dict per user. `tabs` are the times at which the two
    tabs closed. `messages` are the messages that the server accepted: each has its sending time, whether the server
    emitted it to the user's room, and how many tabs received it. Times are in seconds since the first message.
    """
    clock, state = asyncio.get_running_loop().time, StateClient(target.probe)
    readers = [Person(f"reader-{number}") for number in range(USERS)]
    async with (
        tabs(target, [Person(f"writer-{number}") for number in range(USERS)]) as writers,
        tabs(target, readers, each=2) as opened,
    ):
        pairs = list(zip(opened[::2], opened[1::2], strict=True))
        await state.record_emits()
        started = clock()
        writing = [_write(writer, tab.user) for writer, (tab, _) in zip(writers, pairs, strict=True)]
        closing = [_close(number, pair) for number, pair in enumerate(pairs)]
        sent, closed = await asyncio.gather(_all(writing), _all(closing))
        emits = [emit for emit in await state.emits() if emit.event == events.CHAT_MESSAGE]
    return [
        {
            "user": pair[0].user,
            "tabs": [round(at - started, 3) for at in closed[number]],
            "messages": [_outcome(message, pair, emits, started) for message in sent[number]],
        }
        for number, pair in enumerate(pairs)
    ]


async def _all(actions: Sequence[Awaitable[Any]]) -> list[Any]:
    return await asyncio.gather(*actions)


async def _write(writer: Tab, reader: str) -> list[_Sent]:
    """Send `MESSAGES` messages to the user `reader` at a steady rate.

    `writer` is the tab of the sender. Returns the messages that the server accepted.
    """
    clock = asyncio.get_running_loop().time
    started, sent = clock(), []
    for number in range(MESSAGES):
        await asyncio.sleep(started + number * EVERY_SECONDS - clock())
        asked, text = clock(), f"message {number}"
        if (await writer.ask(events.CHAT_SEND, {"to": reader, "text": text})).get("ok"):
            sent.append(_Sent(text, asked, clock()))
    return sent


async def _close(number: int, pair: tuple[Tab, Tab]) -> list[float]:
    """Close a user's two tabs one after the other; return the times.

    `number` is the position of the user among all users. A user with a higher number closes the tabs later. The
    returned times are on the event loop's clock.
    """
    clock = asyncio.get_running_loop().time
    started, closed = clock(), []
    for tab, seconds in zip(pair, (FIRST_CLOSE_SECONDS, SECOND_CLOSE_SECONDS), strict=True):
        await asyncio.sleep(started + seconds + number * LATER_SECONDS - clock())
        closed.append(clock())
        await tab.close()
    return closed


def _outcome(message: _Sent, pair: tuple[Tab, Tab], emits: Sequence[Emit], started: float) -> dict[str, Any]:
    """Return whether a message was emitted, and how many tabs received it.

    `pair` are the two tabs of the recipient, and `emits` are the recorded emits of the server. The returned dict also
    has the sending time, in seconds since `started`.
    """
    room = user_room(pair[0].user)
    is_emitted = any(emit.rooms[0] == room and message.asked <= emit.at_seconds <= message.acked for emit in emits)
    received = [tab.inbox.of(events.CHAT_MESSAGE, lambda data: data["text"] == message.text) for tab in pair]
    return {
        "at": round(message.asked - started, 3),
        "is_emitted": is_emitted,
        "received": sum(bool(arrived) for arrived in received),
    }
