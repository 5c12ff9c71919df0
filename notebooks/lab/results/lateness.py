"""Measures the event loop lag in the process of the clients.

When this process is busy, its event loop is late. Then the clients measure times that are too long, because these times
include the delay of the clients themselves.
"""

import asyncio
from typing import Self

TICK_SECONDS = 0.01


class Lateness:
    """Measures the lag of the running event loop.

    Use it as `async with Lateness() as lateness`. After the block, `lateness.worst_seconds` is the greatest lag.
    """

    def __init__(self) -> None:
        self.worst_seconds = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._sample())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _sample(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            self.worst_seconds = max(self.worst_seconds, loop.time() - due)
