"""Bystanders who ask a server something again and again."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

from good_server import events
from lab.clients.raw_tab import RawTab, raw_tab
from lab.servers.target import Target

BYSTANDERS = 20
EVERY_SECONDS = 0.5
ANSWER_SECONDS = 8.0
# from an answer to the next event for the page
SHOW_SECONDS = 0.25


class Pulses:
    """Light clients that each write to the next one on a schedule.

    `show` is called repeatedly with a list: the worst new ack time of each client in milliseconds, or None while an ack
    is late.
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

    async def start(self) -> None:
        """Connect all clients, and let them begin."""
        session = await self._stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        tabs = [await self._connect(session, number) for number in range(BYSTANDERS)]
        self._tasks = [asyncio.create_task(self._beat(tab, number)) for number, tab in enumerate(tabs)]
        self._tasks.append(asyncio.create_task(self._publish()))

    async def stop(self) -> None:
        """Disconnect all clients."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._stack.aclose()

    async def _connect(self, session: aiohttp.ClientSession, number: int) -> RawTab:
        tab = await self._stack.enter_async_context(raw_tab(session, self._target))
        await tab.connect(self._target.token(f"pulse-{number}"))
        return tab

    async def _beat(self, tab: RawTab, number: int) -> None:
        """Ask on a fixed schedule, also while earlier acks are late."""
        clock = asyncio.get_running_loop().time
        asking: set[asyncio.Task[None]] = set()
        # not all at the same time
        due = clock() + EVERY_SECONDS * number / BYSTANDERS
        try:
            while True:
                await asyncio.sleep(max(0.0, due - clock()))
                task = asyncio.create_task(self._ask(tab, number, due))
                asking.add(task)
                task.add_done_callback(asking.discard)
                due += EVERY_SECONDS
        finally:
            for task in asking:
                task.cancel()

    async def _ask(self, tab: RawTab, number: int, due: float) -> None:
        self._asked[number].append(due)
        chat: dict[str, Any] = {"to": f"pulse-{(number + 1) % BYSTANDERS}", "text": "are you there?"}
        try:
            await tab.ask(events.CHAT_SEND, chat, timeout=ANSWER_SECONDS)
        except (TimeoutError, ConnectionError):
            return
        finally:
            self._asked[number].remove(due)
        took = round(1000 * (asyncio.get_running_loop().time() - due), 1)
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
