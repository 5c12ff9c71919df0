"""One abusive client with a valid token, which floods the server."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp

from good_server import events
from lab.clients.raw_tab import RawTab, raw_tab
from lab.clients.tab import gather_bounded
from lab.servers.target import Target

# one request: the kind of abuse (malformed, oversize, room, event), the event, and its arguments
Request = tuple[str, str, Sequence[Any]]
# by kind of abuse, the number of requests with each outcome: accepted, refused, closed (the connection),
# unanswered, unsent
Tally = Mapping[str, Mapping[str, int]]

ABUSER = "mallory"
OVERSIZE_BYTES = 256 * 1024
OVERSIZE_REQUESTS = 8
ANSWER_SECONDS = 2.0
IN_FLIGHT = 200
# how often it connects again after the server closed its connection
RECONNECTS = 5

MALFORMED: tuple[tuple[str, Sequence[Any]], ...] = (
    (events.CHAT_SEND, []),
    (events.CHAT_SEND, ["hello"]),
    (events.CHAT_SEND, [["to", "text"]]),
    (events.CHAT_SEND, [{}]),
    (events.CHAT_SEND, [{"to": ABUSER}]),
    (events.CHAT_SEND, [{"text": "to nobody"}]),
    (events.CHAT_SEND, [{"to": ABUSER, "text": ""}]),
    (events.CHAT_SEND, [{"to": ABUSER, "text": 17}]),
    (events.CHAT_SEND, [{"to": ABUSER, "text": "x" * 5000}]),
    (events.CHAT_SEND, [{"to": ABUSER, "text": "one key too many", "colour": "red"}]),
    (events.CHAT_SEND, [{"to": ABUSER, "room": "job:1", "text": "two targets"}]),
    (events.CHAT_SEND, [{"to": {"user": ABUSER}, "text": "an object"}]),
    (events.CHAT_SEND, [{"to": "x" * 1000, "text": "a long name"}]),
    (events.CHAT_SEND, [{"to": ABUSER, "text": "an id of the wrong type", "id": [1]}]),
    (events.CHAT_SEND, [{"to": ABUSER, "text": "two"}, {"to": ABUSER, "text": "objects"}]),
    (events.ROOM_JOIN, []),
    (events.ROOM_JOIN, [{}]),
    (events.ROOM_JOIN, [{"room": 17}]),
    (events.ROOM_JOIN, [{"room": ["job:1"]}]),
    (events.ROOM_JOIN, [{"room": "job:"}]),
    (events.ROOM_JOIN, [{"room": "job:" + "x" * 1000}]),
    (events.ROOM_JOIN, [{"room": "job:1", "as": "admin"}]),
)


async def abuse(target: Target, rooms: int, chats: int) -> Tally:
    """Send abusive requests to the server and count the outcomes.

    Some requests are malformed or too large. The others join `rooms` rooms and send `chats` messages. Returns the
    counts by kind of request and outcome. A request that could not be sent counts as `unsent`.
    """
    token = target.token(ABUSER)
    oversize = {"to": ABUSER, "text": "x" * OVERSIZE_BYTES}
    one_per_connection: list[Request] = [
        *(("malformed", event, arguments) for event, arguments in MALFORMED),
        *[("oversize", events.CHAT_SEND, [oversize])] * OVERSIZE_REQUESTS,
    ]
    flood: list[Request] = [
        *(("room", events.ROOM_JOIN, [{"room": f"job:{number}"}]) for number in range(rooms)),
        *[("event", events.CHAT_SEND, [{"to": ABUSER, "text": "again"}])] * chats,
    ]
    async with aiohttp.ClientSession() as session:
        # only a few at once, because a user may have ten sockets
        asking = [
            partial(_send_alone, session, target, token, number, request)
            for number, request in enumerate(one_per_connection)
        ]
        outcomes = await gather_bounded(asking, at_once=4)
        outcomes += await _send_flood(session, target, token, flood)
    return _tally((*one_per_connection, *flood), outcomes)


async def _send_alone(session: aiohttp.ClientSession, target: Target, token: str, number: int, request: Request) -> str:
    try:
        async with _connected(session, target, token, number) as tab:
            return await _send(tab, request)
    except (aiohttp.ClientError, ConnectionError, TimeoutError):
        return "unsent"


async def _send_flood(
    session: aiohttp.ClientSession, target: Target, token: str, requests: Sequence[Request]
) -> list[str]:
    """Send the requests on one connection, as fast as possible.

    When the server closes the connection, the client reconnects to the next server process and continues there, up to
    `RECONNECTS` times. Returns the outcome of each request, such as `accepted` or `closed`.
    """
    outcomes: list[str] = []
    for number in range(1 + RECONNECTS):
        if len(outcomes) == len(requests):
            break
        try:
            async with _connected(session, target, token, number) as tab:
                while len(outcomes) < len(requests) and not tab.socket.closed:
                    batch = requests[len(outcomes) : len(outcomes) + IN_FLIGHT]
                    outcomes += await asyncio.gather(*(_send(tab, request) for request in batch))
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            continue
    return [*outcomes, *["unsent"] * (len(requests) - len(outcomes))]


@asynccontextmanager
async def _connected(session: aiohttp.ClientSession, target: Target, token: str, number: int) -> AsyncIterator[RawTab]:
    async with raw_tab(session, target, number=number) as tab:
        if "sid" not in await tab.connect(token):
            raise ConnectionError("the connection was refused")
        yield tab


async def _send(tab: RawTab, request: Request) -> str:
    _, event, arguments = request
    try:
        ack = await tab.ask(event, *arguments, timeout=ANSWER_SECONDS)
    except TimeoutError:
        return "unanswered"
    except ConnectionError:
        return "closed"
    return "accepted" if isinstance(ack, dict) and ack.get("ok") is True else "refused"


def _tally(requests: Iterable[Request], outcomes: Iterable[str]) -> Tally:
    tally: dict[str, Counter[str]] = {}
    for (kind, _, _), outcome in zip(requests, outcomes, strict=True):
        tally.setdefault(kind, Counter())[outcome] += 1
    return tally
