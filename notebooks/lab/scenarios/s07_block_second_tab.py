"""Scenario 07: count how many of a user's tabs receive a message.

Each user has three tabs. The tabs reconnect by themselves, with the default delays of the client library, because the
reconnects per second depend on these delays. On a server of several processes, each user has three tabs on each
process.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from good_server import events
from lab.clients.chat_ring import people, poll_until
from lab.clients.tab import STOCK_DELAYS, Person, ReconnectDelays, Tab, tabs
from lab.results.run import Run
from lab.scenarios.scenario import Scenario
from lab.servers.target import Target

SETTINGS = {
    # every client has the same address, and a tab that is disconnected is back while its old connection closes
    "SERVER_SOCKETS_PER_ADDRESS": "2000",
    "SERVER_CONNECTS_PER_SECOND_PER_ADDRESS": "2000",
    # a busy machine is late with heartbeats, and a tab that loses its connection for that misses messages
    "SERVER_PING_TIMEOUT_SECONDS": "10",
}

# one tab each, apart from the readers; enough writers that none of them exceeds the rate limit for chat
WRITERS = 4
# the time that the last message has to arrive
ARRIVAL_SECONDS = 0.5
# users in the details, with each connect and disconnect of their tabs
SHOWN_USERS = 2


async def run(
    target: Target,
    *,
    seed: int = 7,
    users: int = 20,
    each: int = 3,
    messages: int = 4,
    window_seconds: float = 3.0,
    delays: ReconnectDelays = STOCK_DELAYS,
) -> Run:
    """Measure the percentage of messages to a user that each tab receives.

    The average percentage of all tabs is the `value` of the returned run. `each` is the number of tabs per user on each
    process. `messages` messages are sent to each user. A message must arrive within `window_seconds` seconds after the
    first message is sent. `delays` says how long a tab waits before it reconnects. `seed` has no effect: only the
    jitter of the delays is random, and the client library chooses the jitter.
    """
    clock = asyncio.get_running_loop().time
    readers = people(users)
    async with (
        tabs(target, [Person(f"writer-{number}") for number in range(WRITERS)]) as writers,
        _open_in_rounds(target, readers, each, delays) as opened,
    ):
        started, connects_before = clock(), _connects(opened)
        sent = await _write_over_time(writers, readers, messages, window_seconds - ARRIVAL_SECONDS)
        await poll_until(lambda: _have_all(opened, messages), timeout=started + window_seconds - clock())
        seconds, connects = clock() - started, _connects(opened) - connects_before
    received = [len(texts) for texts in map(_texts, opened)]
    distinct = [len(set(texts)) for texts in map(_texts, opened)]
    also = {"reconnects_per_second": connects / seconds, "duplicates": sum(received) - sum(distinct)}
    each = len(opened) // users
    accepted = sum(len(times) for times in sent.values())
    broken = None if accepted == users * messages else f"the server accepted {accepted} of {users * messages} messages"
    details = {"seconds": round(seconds, 3), "users": _timelines(opened[: SHOWN_USERS * each], sent, started)}
    return Run(100 * sum(distinct) / (users * each * messages), also, broken, details)


@asynccontextmanager
async def _open_in_rounds(
    target: Target, readers: Sequence[Person], rounds: int, delays: ReconnectDelays
) -> AsyncIterator[list[Tab]]:
    """Open `rounds` tabs for each user in `readers` on each process.

    The tabs stay open until the `async with` block ends. A server that allows only one tab per user may close a tab
    that is still connecting. So each round opens one tab per user and server process, and the next round starts when
    these tabs are connected. The tabs of one user are next to each other in the yielded list.
    """
    opened: list[Tab] = []
    async with AsyncExitStack() as stack:
        for _ in range(rounds):
            some = tabs(target, readers, each=len(target.ports), reconnection=True, delays=delays)
            opened += await stack.enter_async_context(some)
        yield sorted(opened, key=lambda tab: tab.user)


async def _write_over_time(
    writers: Sequence[Tab], readers: Sequence[Person], messages: int, seconds: float
) -> dict[str, list[float]]:
    """Write `messages` messages to every reader, spread over `seconds` seconds.

    `writers` are the tabs that send. Returns a dict from each reader's user id to the sending times of the messages
    that the server accepted.
    """
    clock = asyncio.get_running_loop().time
    started = clock()
    sent: dict[str, list[float]] = {reader.user: [] for reader in readers}

    async def write(writer: Tab, to: str, text: str) -> None:
        now = clock()
        ack = await writer.ask(events.CHAT_SEND, {"to": to, "text": text})
        if ack.get("ok"):
            sent[to].append(now)

    for index in range(messages):
        await asyncio.sleep(started + index * seconds / max(1, messages - 1) - clock())
        pairs = zip(itertools.cycle(writers), readers)
        await asyncio.gather(*(write(writer, reader.user, f"message {index}") for writer, reader in pairs))
    return sent


async def _have_all(opened: Sequence[Tab], messages: int) -> bool:
    return all(len(_texts(tab)) >= messages for tab in opened)


def _texts(tab: Tab) -> list[str]:
    return [received.data["text"] for received in tab.inbox.of(events.CHAT_MESSAGE)]


def _connects(opened: Sequence[Tab]) -> int:
    return sum(tab.connects for tab in opened)


def _timelines(opened: Sequence[Tab], sent: dict[str, list[float]], started: float) -> list[dict[str, Any]]:
    """Return when each tab connected, disconnected and received messages.

    Times are in seconds since `started`. `sent` maps each user to the times at which messages to this user were sent.
    """

    def since(times: Sequence[float]) -> list[float]:
        return [round(at - started, 3) for at in times]

    def times_of(tab: Tab, event: str) -> list[float]:
        return since([received.at_seconds for received in tab.inbox.of(event)])

    return [
        {
            "user": tab.user,
            "connects": times_of(tab, "connect"),
            "disconnects": times_of(tab, "disconnect"),
            "sent": since(sent[tab.user]),
            "received": times_of(tab, events.CHAT_MESSAGE),
        }
        for tab in opened
    ]


SCENARIO = Scenario(run, settings=SETTINGS)
