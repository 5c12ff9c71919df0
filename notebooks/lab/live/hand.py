"""Actions of the reader's hand on one side.

Each action ends when its effects were observed, or after a bounded time."""

import asyncio
from typing import Any

import socketio

from good_server import events
from lab.live.ledger import Message
from lab.live.live_tab import LiveTab
from lab.live.side import Side

ASK_SECONDS = 3.0
# a cut is seen by both ends within milliseconds
SEEN_SECONDS = 2.0
BACK_SECONDS = 8.0
REPORT_MILLISECONDS = 4000
# enough to recognize a job or a socket by
SHORT = 8
UNCONFIRMED = "the server did not confirm it"
NO_CONNECTION = (TimeoutError, socketio.exceptions.SocketIOError)


async def act(side: Side, action: str, tab: str | None, target: str | None, number: int) -> str | None:
    """Do an action on one side.

    `number` is the number of a message, the same on both sides. Returns a sentence when something was not possible on
    this side.
    """
    if action == "kill":
        return await _kill(side)
    if action == "restart":
        return await _restart(side)
    live = side.tabs[str(tab)]
    if action == "send":
        return await _send(side, live, str(target), number)
    if action == "report":
        return await _ask_for_report(side, live)
    steps = {"cut": _cut, "tunnel": _tunnel, "back": _back, "open": _open, "close": _close}
    return await steps[action](side, live)


async def _send(side: Side, live: LiveTab, target: str, number: int) -> str | None:
    """Send a chat message, and follow it to the tabs."""
    if live.sid is None or not side.is_running:
        return f"{live.name} is not connected, so it cannot send"
    room = None if target.startswith("user:") else target
    to = target.removeprefix("user:") if room is None else None
    own = () if room is not None else side.tabs_of(f"user:{live.user}")
    expected = frozenset(tab.name for tab in (*side.tabs_of(target), *own)) - {live.name}
    message = Message(f"m{number}", f"message {number}", live.name, expected)
    await side.look()
    addresses = side.memory.addresses
    side.begin(message)
    side.ledger.add(message, to=target if room is None else None, room=room, at=_now())
    goal: dict[str, Any] = {"to": to} if room is None else {"room": room}
    refused = await _ask(live, events.CHAT_SEND, {**goal, "text": message.key})
    await side.settle()
    await side.look()
    if refused is not None and refused != UNCONFIRMED:
        # the sender knows it, so the message is not lost
        message.expected = frozenset()
    side.ledger.finish(message, addresses)
    return refused


async def _ask_for_report(side: Side, live: LiveTab) -> str | None:
    """Ask for a report, which arrives some seconds later."""
    if live.sid is None or not side.is_running:
        return f"{live.name} is not connected, so it cannot ask"
    at = _now()
    try:
        ack = await live.tab.ask(
            events.REPORT_REQUEST, {"kind": "outside", "size": REPORT_MILLISECONDS}, timeout=ASK_SECONDS
        )
    except NO_CONNECTION:
        return f"the request of {live.name} did not arrive"
    if not ack.get("ok"):
        return f"the server refused: {ack['error']['message']}"
    job = ack["data"]["job"]
    message = Message(job[:SHORT], job, live.name)
    side.ledger.add(message, to=None, room=None, at=at)
    side.await_report(job, message)
    await side.look()
    return None


async def _ask(live: LiveTab, event: str, data: dict[str, Any]) -> str | None:
    """Send an event; return a sentence if it failed."""
    try:
        ack = await live.tab.ask(event, data, timeout=ASK_SECONDS if live.can_receive else SEEN_SECONDS)
    except NO_CONNECTION:
        return UNCONFIRMED
    return None if ack.get("ok") else f"the server refused it: {ack['error']['message']}"


async def _cut(side: Side, live: LiveTab) -> str | None:
    lost = live.sid
    await live.plug.pull()
    await side.wait_for(lambda: live.sid is None and lost not in side.memory.rooms_of, timeout=SEEN_SECONDS)
    return None


async def _tunnel(side: Side, live: LiveTab) -> str | None:
    await live.plug.enter_tunnel()
    side.stream.publish(side.name, "silent", origin=live.name, id=live.sid)
    return None


async def _back(side: Side, live: LiveTab) -> str | None:
    connects = live.tab.connects
    await live.plug.put_back()
    side.stream.publish(side.name, "back", origin=live.name)
    if not side.is_running:
        return "the server is down"
    return await _wait_for_connect(side, live, connects)


async def _wait_for_connect(side: Side, live: LiveTab, connects: int) -> str | None:
    try:
        await live.tab.connected(connects + 1, timeout=BACK_SECONDS)
    except TimeoutError:
        return f"{live.name} did not reconnect in {BACK_SECONDS:.0f} s"
    await side.wait_for(lambda: live.sid in side.memory.rooms_of, timeout=SEEN_SECONDS)
    return None


async def _open(side: Side, live: LiveTab) -> str | None:
    if not side.is_running:
        return "the server is down"
    try:
        await side.open(live.user)
    except socketio.exceptions.ConnectionError:
        return "the server refused the connection"
    return None


async def _close(side: Side, live: LiveTab) -> str | None:
    lost, is_silent = live.sid, live.state == "silent"
    await live.close()
    side.stream.publish(side.name, "closed", origin=live.name, id=lost)
    if not is_silent:
        await side.wait_for(lambda: lost not in side.memory.rooms_of, timeout=SEEN_SECONDS)
    return None


async def _kill(side: Side) -> str | None:
    await side.kill()
    await side.wait_for(lambda: not any(tab.can_receive for tab in side.tabs.values()), timeout=SEEN_SECONDS)
    return None


async def _restart(side: Side) -> str | None:
    if side.is_running:
        return "the server runs"
    waiting = [tab for tab in side.tabs.values() if not tab.is_closed and tab.plug.state == "in"]
    connects = [tab.tab.connects for tab in waiting]
    await side.start_again()
    problems = await asyncio.gather(
        *(_wait_for_connect(side, tab, count) for tab, count in zip(waiting, connects, strict=True))
    )
    return next((problem for problem in problems if problem is not None), None)


def _now() -> float:
    return asyncio.get_running_loop().time()
