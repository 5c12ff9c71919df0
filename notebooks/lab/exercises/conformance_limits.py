"""Conformance checks of rate limits and room limits.

A conformance check tests whether a server still works as specified when it runs a learner's answer to an exercise. Each
check here sends requests to the server, and checks which requests are refused and which are accepted.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import aiohttp
import socketio

from good_server import events
from good_server.errors import RateLimited
from lab.clients.abuser import MALFORMED
from lab.clients.raw_tab import raw_tab
from lab.clients.tab import Person, Tab, gather_bounded
from lab.exercises.conformance_stage import BEN, Finding, Stage, code_of

MALLORY = Person("mallory", "vendor", rooms=("job:17",))
# several times the burst that the contract allows
FLOOD = 400
# what a second tab tries while the first one is refused; a burst of that size is legitimate for another user
SECOND_TAB_REQUESTS = 30
TRIES = 3
# the default limits refill a burst within this time
REFILL_SECONDS = 12.0
RETRY_SECONDS = 0.2
# the tabs of a flood wait for all acks at once
FLOOD_SECONDS = 15.0
# of each kind, so that one of them alone is more than a burst
JOINS = 300
# a limit refuses at once; an answer that lets requests wait does not answer all of them in this time
JOIN_SECONDS = 8.0
ROOMS_ASKED = 100
MOST_TOKEN_ROOMS = 16
# the contract allows 16; an answer may choose another limit of that size
MOST_ROOMS = 40
# more than a socket may have rooms
CHANGES = 20
# the default limits, which a handler without its own rate loses
PER_SECOND: Mapping[str, float] = {events.CHAT_SEND: 5.0, events.TRACKING_UPDATE: 2.0}
BURST_SECONDS = 10.0
# more than a burst of these events, and less than a burst of all events
EVENT_FLOOD = 100


async def _outcomes(
    tab: Tab, requests: Sequence[tuple[str, dict[str, Any]]], *, seconds: float = FLOOD_SECONDS
) -> list[bool | None]:
    """Send all requests at once, and return whether each one was accepted.

    A request is an event and its payload, sent from `tab`, a simulated browser tab. The list has None for a request
    without an ack after `seconds`, if the tab is still connected: the server lets the request wait. If the server has
    closed the connection of the tab, the list has False for the request.
    """

    async def send(event: str, payload: dict[str, Any]) -> bool | None:
        try:
            return (await tab.ask(event, payload, timeout=seconds)).get("ok") is True
        except (TimeoutError, socketio.exceptions.SocketIOError):
            return False if tab.sid is None else None

    sending = [partial(send, event, payload) for event, payload in requests]
    outcomes: list[bool | None] = await gather_bounded(sending, at_once=len(sending))
    return outcomes


def _chats(count: int) -> list[tuple[str, dict[str, Any]]]:
    # to many users, as a limit may not be counted by recipient
    return [(events.CHAT_SEND, {"to": f"nobody-{number}", "text": "flood"}) for number in range(count)]


async def serve_others_during_a_flood(stage: Stage) -> None:
    """Check that other users are served while one user floods the server.

    A flood is `FLOOD` messages at once, and the server must refuse some of them. Some time later, the server accepts
    messages from the flooding user again.
    """
    mallory, honest = await stage.open(MALLORY, Person("hana", "vendor"))
    flood = asyncio.create_task(_outcomes(mallory, _chats(FLOOD)))
    try:
        for number in range(8):
            await _expect_served(stage, honest, f"during it {number}")
        outcomes = await flood
    finally:
        flood.cancel()
        await asyncio.gather(flood, return_exceptions=True)
    if all(outcomes):
        raise Finding(f"mallory sent {FLOOD} messages at once, and all were accepted: nothing limits how often")
    if False not in outcomes:
        raise Finding(f"mallory sent {FLOOD} messages at once, and none was refused: the server lets them wait")
    await _expect_served(stage, honest, "after it")
    await _expect_refill(stage, mallory)
    await stage.close(mallory)
    await stage.close(honest)


async def _expect_served(stage: Stage, honest: Tab, text: str) -> None:
    ack = await stage.ask(honest, events.CHAT_SEND, {"to": BEN.user, "text": text})
    if ack.get("ok") is not True:
        raise Finding(f"hana sent one message while mallory sent {FLOOD}, and hana was refused: {code_of(ack)}")


async def _expect_refill(stage: Stage, mallory: Tab) -> None:
    """Wait until the server accepts messages from the tab `mallory` again.

    This tab has sent too many messages at once. Raises `Finding` if the server still refuses its messages after
    `REFILL_SECONDS`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + REFILL_SECONDS
    while True:
        ack = await stage.ask(mallory, events.CHAT_SEND, {"to": BEN.user, "text": "sorry"})
        if ack.get("ok") is True:
            return
        if loop.time() > deadline:
            raise Finding(f"{REFILL_SECONDS:.0f} s after a flood mallory is still refused ({code_of(ack)})")
        await asyncio.sleep(RETRY_SECONDS)


async def count_by_user(stage: Stage) -> None:
    """Check that all tabs of a user share one rate limit.

    After too many messages at once from one tab, the server also refuses some messages from the user's other tab.
    """
    for number in range(TRIES):
        # the window of a limit may end just between both floods, so one try proves nothing
        first, second = await stage.open(*[Person(f"mallory-{number}", "admin")] * 2)
        await _outcomes(first, _chats(FLOOD))
        accepted = (await _outcomes(second, _chats(SECOND_TAB_REQUESTS))).count(True)
        await stage.close(first)
        await stage.close(second)
        if accepted < SECOND_TAB_REQUESTS:
            return
    raise Finding(f"after a flood from one tab, all {SECOND_TAB_REQUESTS} messages of the user's second were accepted")


async def refuse_malformed_requests(stage: Stage) -> None:
    """Check that no malformed request is accepted."""
    target = stage.target
    async with aiohttp.ClientSession() as session:
        for number, (event, arguments) in enumerate(MALFORMED):
            async with raw_tab(session, target) as tab:
                # so that a request to join is refused for its form alone
                await tab.connect(target.token(f"maud-{number}", rooms=("job:1",)))
                ack: Any = None
                with contextlib.suppress(TimeoutError, ConnectionError):
                    ack = await tab.ask(event, *arguments)
            if isinstance(ack, dict) and ack.get("ok") is True:
                shown = json.dumps(list(arguments))[:80]
                raise Finding(f"a malformed request was accepted: {event} with the arguments {shown}")


async def limit_rooms(stage: Stage) -> None:
    """Check that one socket may join only a limited number of rooms."""
    (tab,) = await stage.open(Person("rudi", "company", "acme"))
    joined = await _outcomes(tab, [(events.ROOM_JOIN, {"room": f"job:r{number}"}) for number in range(ROOMS_ASKED)])
    if joined.count(True) > MOST_ROOMS:
        raise Finding(f"rudi asked for {ROOMS_ASKED} rooms, and one tab is now in {joined.count(True)} of them")
    await stage.close(tab)


async def allow_rooms(stage: Stage) -> None:
    """Check that a user's token may name sixteen rooms."""
    rooms = tuple(f"job:s{number}" for number in range(MOST_TOKEN_ROOMS))
    (tab,) = await stage.open(Person("sam", "company", "acme", rooms=rooms))
    for event in (events.ROOM_LEAVE, events.ROOM_JOIN):
        ack = await _patiently(stage, tab, event, {"room": rooms[0]})
        if ack.get("ok") is not True:
            raise Finding(f"sam's token names {MOST_TOKEN_ROOMS} rooms, and {event} of one was refused: {code_of(ack)}")
    await stage.close(tab)


async def keep_the_chat_limit(stage: Stage) -> None:
    """Check that chat messages still have their own rate limit.

    This limit is lower than the limit on all events of a user.
    """
    requests = _chats(EVENT_FLOOD)
    await _expect_limit(stage, Person("max", "vendor"), requests)


async def keep_the_tracking_limit(stage: Stage) -> None:
    """Check that drivers' positions still have their own rate limit.

    This limit is lower than the limit on all events of a user.
    """
    requests = [(events.TRACKING_UPDATE, {"lat": 1.0, "lng": 2.0})] * EVENT_FLOOD
    await _expect_limit(stage, Person("mike", "driver"), requests)


async def _expect_limit(stage: Stage, person: Person, requests: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Raise `Finding` if more requests are accepted than their rate limit allows.

    `person` sends all `requests` at once. Each request is an event and its payload; the event is the same in all
    requests.
    """
    (tab,) = await stage.open(person)
    event = requests[0][0]
    loop = asyncio.get_running_loop()
    began = loop.time()
    accepted = (await _outcomes(tab, requests)).count(True)
    # what is refilled meanwhile, on a busy machine, is allowed
    most = PER_SECOND[event] * (BURST_SECONDS + loop.time() - began) + 1
    if accepted > most:
        sent = f"{person.user} sent {event} {len(requests)} times at once"
        raise Finding(f"{sent}, and {accepted} were accepted: the limit of this event allows {most:.0f}")
    await stage.close(tab)


async def free_places(stage: Stage) -> None:
    """Check that leaving a room frees a place for another join.

    A socket may be in a limited number of rooms. In this check, one socket leaves and joins the same room more often
    than this number.
    """
    (tab,) = await stage.open(Person("rene", "vendor", rooms=("job:17",)))
    for _ in range(CHANGES):
        for event in (events.ROOM_LEAVE, events.ROOM_JOIN):
            ack = await _patiently(stage, tab, event, {"room": "job:17"})
            if ack.get("ok") is not True:
                raise Finding(f"rene left and joined a room {CHANGES} times, and {event} was refused: {code_of(ack)}")
    await stage.close(tab)


async def _patiently(stage: Stage, tab: Tab, event: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Repeat a request while the rate limit refuses it.

    Returns the last ack. After `REFILL_SECONDS` the request is not repeated any more, so the last ack may be a refusal.
    """
    deadline = asyncio.get_running_loop().time() + REFILL_SECONDS
    while True:
        ack = await stage.ask(tab, event, payload)
        if code_of(ack) != RateLimited.code or asyncio.get_running_loop().time() > deadline:
            return ack
        await asyncio.sleep(RETRY_SECONDS)


async def limit_joins(stage: Stage) -> None:
    """Check that joining and leaving rooms has a rate limit."""
    (tab,) = await stage.open(Person("joss", "driver", rooms=("job:17",)))
    names = (events.ROOM_JOIN, events.ROOM_LEAVE)
    flood = [(names[number % 2], {"room": "job:17"}) for number in range(2 * JOINS)]
    outcomes = await _outcomes(tab, flood, seconds=JOIN_SECONDS)
    for number, name in enumerate(names):
        if False not in outcomes[number::2]:
            raise Finding(f"joss joined and left a room {JOINS} times at once, and no {name} was refused")
    await stage.close(tab)
