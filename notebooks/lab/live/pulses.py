"""Bystanders: simulated clients that measure the ack times of a server.

Each bystander sends chat messages on a schedule. While the server's event loop is blocked, the acks are late.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

from good_server import events
from good_server.rooms import user_room
from lab.clients.raw_tab import RawTab, raw_tab
from lab.servers.target import Target

BYSTANDERS = 20
EVERY_SECONDS = 0.5
ANSWER_SECONDS = 8.0
# from an answer to the next event for the page
SHOW_SECONDS = 0.25
NAME = "bystander-"


class Pulses:
    """Bystanders: simulated clients that measure ack times.

    Each client sends chat messages to the next client on a schedule. `show` is called repeatedly with one item per
    client: the worst new ack time in milliseconds, or None while an ack is late.
    """

    def __init__(self, target: Target, show: Callable[[list[float | None]], None]) -> None:
        self._target = target
        self._show = show
        self._stack = AsyncExitStack()
        self._last: list[float | None] = [None] * BYSTANDERS
        self._asked: list[deque[float]] = [deque() for _ in range(BYSTANDERS)]
        # the clients with an ack since the last event for the page
        self._fresh: set[int] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._asking: set[asyncio.Task[None]] = set()
        self._slowest = 0.0
        # for each client, how many of its questions were answered, and how many messages it received
        self.answers = [0] * BYSTANDERS
        self.received = [0] * BYSTANDERS

    async def start(self) -> None:
        """Connect all clients, and let them send on their schedules."""
        session = await self._stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        tabs = [await self._connect(session, number) for number in range(BYSTANDERS)]
        self._tasks = [asyncio.create_task(self._beat(tab, number)) for number, tab in enumerate(tabs)]
        self._tasks.append(asyncio.create_task(self._publish()))

    async def stop(self) -> None:
        """Disconnect all clients."""
        tasks = [*self._tasks, *self._asking]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        await self._stack.aclose()

    def begin(self) -> None:
        """Forget all earlier ack times, so that `slowest` starts anew."""
        self._slowest = 0.0

    async def slowest(self) -> float:
        """Return the worst ack time since `begin` in milliseconds.

        It first waits for all acks that are still missing.
        """
        if self._asking:
            await asyncio.wait(set(self._asking))
        return self._slowest

    async def _connect(self, session: aiohttp.ClientSession, number: int) -> RawTab:
        tab = await self._stack.enter_async_context(raw_tab(session, self._target))
        await tab.connect(self._target.token(f"{NAME}{number}"))
        tab.inbox.observer = lambda _: self._note_received(tab, number)
        return tab

    def _note_received(self, tab: RawTab, number: int) -> None:
        self.received[number] += 1
        # a page may stay open for hours
        tab.inbox.all.clear()

    async def _beat(self, tab: RawTab, number: int) -> None:
        """Send a message every `EVERY_SECONDS`, also while earlier acks are late.

        `number` is the position of this client. Clients with different positions send at different times.
        """
        clock = asyncio.get_running_loop().time
        # not all at the same time
        due = clock() + EVERY_SECONDS * number / BYSTANDERS
        while True:
            await asyncio.sleep(max(0.0, due - clock()))
            task = asyncio.create_task(self._ask(tab, number, due))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
            due += EVERY_SECONDS

    async def _ask(self, tab: RawTab, number: int, due: float) -> None:
        self._asked[number].append(due)
        chat: dict[str, Any] = {"to": f"{NAME}{(number + 1) % BYSTANDERS}", "text": "are you there?"}
        try:
            await tab.ask(events.CHAT_SEND, chat, timeout=ANSWER_SECONDS)
        except TimeoutError:
            self._slowest = max(self._slowest, 1000 * ANSWER_SECONDS)
            return
        except ConnectionError:
            return
        finally:
            self._asked[number].remove(due)
        took = round(1000 * (asyncio.get_running_loop().time() - due), 1)
        self.answers[number] += 1
        self._slowest = max(self._slowest, took)
        # after a stall many acks come at once, and the worst of them counts
        self._last[number] = took if number not in self._fresh else max(took, self._last[number] or 0.0)
        self._fresh.add(number)

    async def _publish(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(SHOW_SECONDS)
            self._fresh.clear()
            late = [bool(asked) and clock() - asked[0] > SHOW_SECONDS for asked in self._asked]
            self._show([None if is_late else last for is_late, last in zip(late, self._last, strict=True)])


def is_for_bystanders(rooms: Sequence[str]) -> bool:
    """Whether one of `rooms` belongs to a client that measures ack times.

    The name of such a room starts with `user:bystander-`.
    """
    return any(str(room).startswith(user_room(NAME)) for room in rooms)
