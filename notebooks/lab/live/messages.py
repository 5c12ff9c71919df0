"""Actions of `lab live`'s page that send chat messages.

The function `follow` sends messages, and publishes which tabs received them. Other actions use this function, too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import socketio

from good_server import events
from lab.live.ledger import Message
from lab.live.live_tab import LiveTab
from lab.live.outcome import Outcome
from lab.live.side import Side
from lab.live.wanted import Wanted
from lab.servers.state_client import Emit

ASK_SECONDS = 3.0
# from a tunnel no ack comes
SILENT_SECONDS = 1.5
NO_CONNECTION = (TimeoutError, ConnectionError, socketio.exceptions.SocketIOError)
NOT_CONNECTED = Outcome("this tab has no connection here, so it cannot send")
NO_ANSWER = {"ok": False, "error": {"code": "timeout", "message": "no answer"}}
Answer = dict[str, Any]


@dataclass(frozen=True)
class Sending:
    """A message with the function that sends it.

    `send` returns the ack. `to` (such as `user:ben`) or `room` is the target; a driver's position has neither.
    """

    message: Message
    send: Callable[[], Awaitable[Answer]]
    to: str | None = None
    room: str | None = None


async def send(side: Side, wanted: Wanted) -> Outcome:
    """Send a chat message on one server, and publish who received it.

    `wanted` names the sender's tab and the target.
    """
    return await _chat(side, wanted, {})


async def forge(side: Side, wanted: Wanted) -> Outcome:
    """Send a chat message that names somebody else as its author.

    `wanted.text` is the false author.
    """
    return await _chat(side, wanted, {"from": {"id": wanted.text, "role": "vendor"}})


async def _chat(side: Side, wanted: Wanted, more: dict[str, Any]) -> Outcome:
    live, target = side.tabs[wanted.tab], wanted.target
    if not can_send(side, live):
        return NOT_CONNECTED
    text = f"message {wanted.number}"
    if target.startswith("user:"):
        user = target.removeprefix("user:")
        copies = frozenset(() if more else (tab.name for tab in side.tabs_of(f"user:{live.user}")))
        sending = chat_to(side, live, user, f"m{wanted.number}", text, more=more, copies=copies)
    else:
        expected = frozenset(tab.name for tab in side.tabs_of(target) if tab is not live)
        data = {"room": target, "text": text, **more}
        message = Message(f"m{wanted.number}", text, live.name, expected)
        sending = Sending(message, lambda: ask(live, events.CHAT_SEND, data), room=target)
    (answer,) = await follow(side, [sending])
    return Outcome(problem_in(answer), answer)


def chat_to(
    side: Side,
    live: LiveTab,
    user: str,
    name: str,
    text: str,
    *,
    more: dict[str, Any] | None = None,
    copies: frozenset[str] = frozenset(),
) -> Sending:
    """Create a chat message to a user, but do not send it.

    `live` is the tab of the sender. `name` is the id of the message on the page. `more` has further fields of the
    payload. `copies` are the names of the sender's tabs that should receive the message, too. `live` is not expected
    to receive the message, even if its name is in `copies`.
    """
    expected = {tab.name for tab in side.tabs_of(f"user:{user}")} | copies
    data = {"to": user, "text": text, **(more or {})}
    message = Message(name, text, live.name, frozenset(expected - {live.name}))
    return Sending(message, lambda: ask(live, events.CHAT_SEND, data), to=f"user:{user}")


def can_send(side: Side, live: LiveTab) -> bool:
    """Whether a tab has a connection to a running server."""
    return live.sid is not None and side.is_running


async def follow(side: Side, sendings: Sequence[Sending]) -> list[Answer]:
    """Send messages at the same time, and publish who received each message.

    Returns the acks, in the order of `sendings`.
    """
    emits = await side.begin()
    addresses = side.memory.addresses
    at = asyncio.get_running_loop().time()
    for sending in sendings:
        side.ledger.add(sending.message, to=sending.to, room=sending.room, at=at)
    answers = await asyncio.gather(*(sending.send() for sending in sendings))
    await side.settle()
    await side.look()
    messages = [sending.message for sending in sendings]
    for message, answer in zip(messages, answers, strict=True):
        if answer is not NO_ANSWER and not answer.get("ok"):
            # the sender knows it, so the message is not lost
            message.expected = frozenset()
    _give(emits, messages, answers)
    for message in messages:
        side.ledger.finish(message, addresses)
    return answers


def _give(emits: list[Emit], messages: Sequence[Message], answers: Sequence[Answer]) -> None:
    """Assign the server's emits to the messages that caused them.

    A single message gets all emits. The server handles several messages in order, so the first accepted message gets
    the first emit, the second gets the second emit, and so on.
    """
    if len(messages) == 1:
        messages[0].emits = emits
        return
    accepted = [message for message, answer in zip(messages, answers, strict=True) if answer.get("ok")]
    for message, emit in zip(accepted, emits, strict=False):
        message.emits = [emit]


async def ask(live: LiveTab, event: str, data: dict[str, Any]) -> Answer:
    """Send an event and return its ack, or `NO_ANSWER`.

    `NO_ANSWER` means that the connection is lost, or that the ack does not come in time.
    """
    try:
        return await live.tab.ask(event, data, timeout=ASK_SECONDS if live.can_receive else SILENT_SECONDS)
    except NO_CONNECTION:
        return NO_ANSWER


def problem_in(answer: Answer) -> str | None:
    """Return in words why a request did not succeed.

    `answer` is the ack of the request. Returns None if the request succeeded.
    """
    if answer.get("ok"):
        return None
    return "no answer comes" if answer is NO_ANSWER else f"it refuses: {answer['error']['code']}"


async def join(side: Side, wanted: Wanted) -> Outcome:
    """Ask one server to let a tab join a room.

    `wanted` has the tab, and the name of the room that the user of the page has typed. The result has the server's ack.
    """
    answer = await ask(side.tabs[wanted.tab], events.ROOM_JOIN, {"room": wanted.text})
    return Outcome(problem_in(answer), answer)
