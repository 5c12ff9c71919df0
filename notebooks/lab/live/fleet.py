"""Actions of `lab live`'s page for mistake 06: drivers report positions.

Mistake 06 is that the bad server broadcasts to everyone. The page shows which clients receive a position that they do
not need.
"""

import itertools
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from good_server import events
from good_server.roles import Role
from lab.live.arrangement import FLEET_COMPANY
from lab.live.crowd import Crowd
from lab.live.ledger import Message, position_key
from lab.live.live_tab import LiveTab
from lab.live.messages import (
    ASK_SECONDS,
    NO_ANSWER,
    NO_CONNECTION,
    NOT_CONNECTED,
    Answer,
    Sending,
    ask,
    can_send,
    follow,
    problem_in,
)
from lab.live.outcome import DONE, Outcome
from lab.live.side import Side
from lab.live.wanted import Wanted

# where the driver starts, and how far one step is
LATITUDE, LONGITUDE, STEP = 52.5, 13.4, 0.01
# the latitudes of one round differ by this much, so that each position can be recognized
APART = 0.0001


async def drive(side: Side, wanted: Wanted) -> Outcome:
    """Report one position of a driver to one server.

    `side` is the server, and `wanted` names the driver's tab. The live page shows which clients received the position.
    """
    live = side.tabs[wanted.tab]
    if not can_send(side, live):
        return NOT_CONNECTED
    sending = _position(side, wanted, live.name, partial(ask, live), f"d{wanted.number}", 0)
    answers, deliveries, count_bytes = await _measure(side, [sending])
    _show_traffic(side, deliveries, count_bytes)
    lat, lng = _place(wanted, 0)
    side.board.show("position", {live.user: [lat, lng]})
    return Outcome(problem_in(answers[0]), answers[0])


async def round_of_positions(side: Side, wanted: Wanted) -> Outcome:
    """Let all drivers report one position each, at the same time.

    The drivers report to one server, `side`. The live page shows how many times clients received a position, and how
    many bytes they received.
    """
    drivers: dict[str, Callable[[str, dict[str, Any]], Awaitable[Answer]]] = {
        tab.name: partial(ask, tab)
        for tab in side.tabs.values()
        if tab.tab.person.role == Role.DRIVER and can_send(side, tab)
    }
    crowd = side.extras.crowd
    if crowd is not None and side.is_running:
        drivers |= {name: partial(_ask_lightly, crowd, name) for name in crowd.drivers}
    if not drivers:
        return NOT_CONNECTED
    sendings = [
        _position(side, wanted, name, send, f"d{wanted.number}.{index}", index)
        for (name, send), index in zip(drivers.items(), itertools.count(1), strict=False)
    ]
    answers, deliveries, count_bytes = await _measure(side, sendings)
    refused = [answer for answer in answers if not answer.get("ok")]
    if refused:
        return Outcome(f"{len(refused)} of {len(answers)} positions are not accepted: {problem_in(refused[0])}")
    clients = len(side.memory.rooms_of)
    measured = {"drivers": len(drivers), "deliveries": deliveries, "bytes": count_bytes}
    # one point for each number of clients; a later round replaces it
    side.board.show("rounds", {**side.board.named.get("rounds", {}), str(clients): measured})
    return Outcome(f"{deliveries} deliveries for {len(drivers)} reported; {count_bytes} bytes")


async def crowd(side: Side, wanted: Wanted) -> Outcome:
    """Open or close clients until the crowd has `wanted.count` clients.

    The crowd consists of simulated clients that only add load to one server. The result says if the server is down.
    """
    if not side.is_running:
        return Outcome("the server is down")
    await side.extras.gather_crowd(wanted.count)
    await side.look()
    return DONE


def _place(wanted: Wanted, index: int) -> tuple[float, float]:
    latitude = LATITUDE + STEP * wanted.number + APART * index
    return round(latitude, 4), round(LONGITUDE + STEP * (wanted.number % 7), 4)


def _position(
    side: Side,
    wanted: Wanted,
    driver: str,
    send: Callable[[str, dict[str, Any]], Awaitable[Answer]],
    name: str,
    index: int,
) -> Sending:
    lat, lng = _place(wanted, index)
    followers = frozenset(tab.name for tab in side.tabs.values() if not tab.is_closed and _follows(tab))
    message = Message(name, position_key(lat), driver, followers)
    return Sending(message, lambda: send(events.TRACKING_UPDATE, {"lat": lat, "lng": lng}))


def _follows(tab: LiveTab) -> bool:
    person = tab.tab.person
    return person.role == Role.ADMIN or (person.role == Role.COMPANY and person.company == FLEET_COMPANY)


async def _ask_lightly(crowd: Crowd, name: str, event: str, data: dict[str, Any]) -> Answer:
    try:
        answer: Answer = await crowd.tabs[name].ask(event, data, timeout=ASK_SECONDS)
    except NO_CONNECTION:
        return NO_ANSWER
    return answer


async def _measure(side: Side, sendings: list[Sending]) -> tuple[list[Answer], int, int]:
    """Send positions, and measure the traffic that they cause.

    Returns the acks, how many times clients received a position, and how many bytes all clients together received.
    """
    # what the lab's own event costs, which tells that all has arrived
    before = side.bytes_to_clients
    await side.settle()
    own_bytes = side.bytes_to_clients - before
    before = side.bytes_to_clients
    answers = await follow(side, sendings)
    deliveries = sum(len(sending.message.received) for sending in sendings)
    return answers, deliveries, side.bytes_to_clients - before - own_bytes


def _show_traffic(side: Side, deliveries: int, count_bytes: int) -> None:
    """Add the traffic of one reported position to the totals.

    `deliveries` is how many times clients received the position. `count_bytes` is how many bytes all clients received.
    The page shows the totals, which `side.board` stores.
    """
    before = side.board.named.get("traffic", {})
    clients = len(side.memory.rooms_of)
    drives, total, total_bytes = (before.get(name, 0) for name in ("drives", "deliveries", "bytes"))
    last = {"last_deliveries": deliveries, "last_bytes": count_bytes}
    totals = {"drives": drives + 1, "deliveries": total + deliveries, "bytes": total_bytes + count_bytes}
    side.board.show("traffic", {"clients": clients, **totals, **last})
