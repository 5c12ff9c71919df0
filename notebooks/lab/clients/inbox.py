"""Inbox of a client: stores received events and waits for more."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Received:
    """One received event; `at_seconds` is its time on the event loop's clock."""

    event: str
    data: Any
    at_seconds: float


class Inbox:
    """Stores the events that a client receives, in order."""

    def __init__(self) -> None:
        self.all: list[Received] = []
        # called with each received event, before the callers of `wait` continue
        self.observer: Callable[[Received], None] | None = None
        self._waiters: set[asyncio.Future[None]] = set()

    def add(self, event: str, *data: Any) -> None:
        """Add one received event and wake all callers of `wait`.

        Only the first argument of the event is kept.
        """
        received = Received(event, data[0] if data else None, asyncio.get_running_loop().time())
        self.all.append(received)
        if self.observer is not None:
            self.observer(received)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def of(self, event: str, where: Callable[[Any], bool] = lambda data: True) -> list[Received]:
        """Return all received events with this name.

        `where` selects events by their data.
        """
        return [received for received in self.all if received.event == event and where(received.data)]

    async def wait(
        self, event: str, count: int = 1, *, where: Callable[[Any], bool] = lambda data: True, timeout: float = 5.0
    ) -> list[Received]:
        """Wait until `count` events with this name have arrived.

        `where` selects events by their data. Returns all selected events received so far. Raises `TimeoutError` after
        `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while len(found := self.of(event, where)) < count:
                waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiters.add(waiter)
                try:
                    await waiter
                finally:
                    self._waiters.discard(waiter)
        return found
