"""Answers for what a client got: in order, and a way to wait for more."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Received:
    """One event a client got; `at_seconds` on the clock of the client's event loop."""

    event: str
    data: Any
    at_seconds: float


class Inbox:
    """What arrived, in order, and a way to wait for more."""

    def __init__(self) -> None:
        self.all: list[Received] = []
        self._waiting: set[asyncio.Future[None]] = set()

    def add(self, event: str, *data: Any) -> None:
        """Takes one event in and wakes who waits; of several arguments, the first is kept."""
        self.all.append(Received(event, data[0] if data else None, asyncio.get_running_loop().time()))
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def of(self, event: str, where: Callable[[Any], bool] = lambda data: True) -> list[Received]:
        """What has arrived of one event so far."""
        return [received for received in self.all if received.event == event and where(received.data)]

    async def wait(
        self, event: str, count: int = 1, *, where: Callable[[Any], bool] = lambda data: True, timeout: float = 5.0
    ) -> list[Received]:
        """Waits until `count` have arrived; raises `TimeoutError` when they do not in `timeout` seconds."""
        async with asyncio.timeout(timeout):
            while len(found := self.of(event, where)) < count:
                news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting.add(news)
                try:
                    await news
                finally:
                    self._waiting.discard(news)
        return found
