"""Actions that send something: chats, reports, and what one mistake needs alone."""

import asyncio
from typing import Any

import socketio

from good_server import events
from good_server.roles import Role
from lab.live.ledger import Message
from lab.live.live_tab import LiveTab
from lab.live.outcome import DONE, Outcome
from lab.live.side import Side
from lab.live.wanted import Wanted
from lab.servers.state_client import StateClient

ASK_SECONDS = 3.0
# from a tunnel no ack comes
SILENT_SECONDS = 1.5
FINISH_SECONDS = 5.0
REPORT_MILLISECONDS = 1
# enough to recognize a job by
SHORT = 8
NO_CONNECTION = (TimeoutError, socketio.exceptions.SocketIOError)
NOT_CONNECTED = "this tab has no connection here, so it cannot send"
NO_ANSWER = {"ok": False, "error": {"code": "timeout", "message": "no answer"}}
# where the driver starts, and how far one step is
LATITUDE, LONGITUDE, STEP = 52.5, 13.4, 0.01


async def send(side: Side, wanted: Wanted) -> Outcome:
    """Send a chat message, and follow it to the tabs."""
    return await _chat(side, wanted, {})


async def forge(side: Side, wanted: Wanted) -> Outcome:
    """Send a chat message that names somebody else as its author."""
    return await _chat(side, wanted, {"from": {"id": wanted.text, "role": "vendor"}})


async def _chat(side: Side, wanted: Wanted, more: dict[str, Any]) -> Outcome:
    live, target = side.tabs[wanted.tab], wanted.target
    is_room = not target.startswith("user:")
    goal = {"room": target} if is_room else {"to": target.removeprefix("user:")}
    expected = {tab.name for tab in side.tabs_of(target)}
    expected |= {tab.name for tab in side.tabs_of(f"user:{live.user}")} if not is_room and not more else set()
    message = Message(f"m{wanted.number}", f"message {wanted.number}", live.name, frozenset(expected - {live.name}))
    data = {**goal, "text": message.key, **more}
    return await _follow(side, live, message, events.CHAT_SEND, data, room=target if is_room else None, to=target)


async def drive(side: Side, wanted: Wanted) -> Outcome:
    """Report one position of the driver, and follow it to all clients."""
    live = side.tabs[wanted.tab]
    lat, lng = LATITUDE + STEP * wanted.number, LONGITUDE + STEP * (wanted.number % 7)
    followers = {
        tab.name
        for tab in side.tabs.values()
        if not tab.is_closed and (tab.tab.person.role == Role.ADMIN or _follows(tab, live))
    }
    message = Message(f"d{wanted.number}", f"{lat:.4f}", live.name, frozenset(followers))
    data = {"lat": round(lat, 4), "lng": round(lng, 4)}
    # what the lab's own event costs, which tells that all has arrived
    before = side.bytes_to_clients
    await side.settle()
    own_bytes = side.bytes_to_clients - before
    before = side.bytes_to_clients
    outcome = await _follow(side, live, message, events.TRACKING_UPDATE, data, room=None, to=None)
    _show_traffic(side, len(message.received), side.bytes_to_clients - before - own_bytes)
    side.board.show("position", {live.user: [data["lat"], data["lng"]]})
    return outcome


def _show_traffic(side: Side, deliveries: int, count_bytes: int) -> None:
    """Add what one position has cost to the totals on the board."""
    before = side.board.named.get("traffic", {})
    clients = len(side.memory.rooms_of)
    drives, total, total_bytes = (before.get(name, 0) for name in ("drives", "deliveries", "bytes"))
    last = {"last_deliveries": deliveries, "last_bytes": count_bytes}
    totals = {"drives": drives + 1, "deliveries": total + deliveries, "bytes": total_bytes + count_bytes}
    side.board.show("traffic", {"clients": clients, **totals, **last})


async def crowd(side: Side, wanted: Wanted) -> Outcome:
    """Change how many other clients are connected."""
    await side.extras.gather_crowd(wanted.count)
    return DONE


def _follows(tab: LiveTab, driver: LiveTab) -> bool:
    person = tab.tab.person
    return person.role == Role.COMPANY and person.company == driver.tab.person.company


async def _follow(
    side: Side, live: LiveTab, message: Message, event: str, data: dict[str, Any], *, room: str | None, to: str | None
) -> Outcome:
    """Send an event, and publish what becomes of its message."""
    if live.sid is None or not side.is_running:
        return Outcome(NOT_CONNECTED)
    await side.look()
    addresses = side.memory.addresses
    side.begin(message)
    side.ledger.add(message, to=None if room else to, room=room, at=asyncio.get_running_loop().time())
    answer = await ask(live, event, data)
    await side.settle()
    await side.look()
    if answer is not NO_ANSWER and not answer.get("ok"):
        # the sender knows it, so the message is not lost
        message.expected = frozenset()
    side.ledger.finish(message, addresses)
    return Outcome(_problem(answer), answer)


async def ask(live: LiveTab, event: str, data: dict[str, Any]) -> dict[str, Any]:
    """Send an event and return its ack, or `NO_ANSWER`."""
    try:
        return await live.tab.ask(event, data, timeout=ASK_SECONDS if live.can_receive else SILENT_SECONDS)
    except NO_CONNECTION:
        return NO_ANSWER


def _problem(answer: dict[str, Any]) -> str | None:
    if answer.get("ok"):
        return None
    return "no answer comes" if answer is NO_ANSWER else f"it refuses: {answer['error']['code']}"


async def report(side: Side, wanted: Wanted) -> Outcome:
    """Ask for a report, which the reader lets finish later."""
    live = side.tabs[wanted.tab]
    at = asyncio.get_running_loop().time()
    answer = await ask(live, events.REPORT_REQUEST, {"kind": "outside", "size": REPORT_MILLISECONDS})
    if not answer.get("ok"):
        return Outcome(_problem(answer), answer)
    job = answer["data"]["job"]
    message = Message(job[:SHORT], job, live.name)
    side.ledger.add(message, to=None, room=None, at=at)
    side.await_report(job, message)
    return Outcome(None, answer)


async def finish(side: Side, wanted: Wanted) -> Outcome:
    """Let the waiting reports be made, and wait until they were sent."""
    if not side.is_running:
        return DONE
    if not side.open_reports:
        return Outcome("no job is open")
    await StateClient(side.target.probe).release_reports()
    await side.wait_for(lambda: not side.open_reports, timeout=FINISH_SECONDS)
    return DONE


async def join(side: Side, wanted: Wanted) -> Outcome:
    """Ask to join a room that the reader has typed."""
    answer = await ask(side.tabs[wanted.tab], events.ROOM_JOIN, {"room": wanted.text})
    return Outcome(_problem(answer), answer)
