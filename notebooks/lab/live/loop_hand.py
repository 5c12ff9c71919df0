"""Shows on `lab live`'s page whether a server's event loop is blocked.

The lab counts how often the loop wakes a task that sleeps 5 ms at a time. The page shows this count as a clock hand,
which stops while the event loop is blocked.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from lab.live.memory import NO_SERVER
from lab.servers.target import Target

SHOW_SECONDS = 0.25


class LoopHand:
    """Reads repeatedly how often a server's event loop has woken a task.

    The lab runs this task in the server process; it sleeps 5 ms at a time. While a handler computes, the task does not
    wake, and the lab gets no answer. `show` is called with `{"turns", "each_second"}`: the number of all wake-ups, and
    the latest number per second.
    """

    def __init__(self, target: Target, show: Callable[[dict[str, Any]], None]) -> None:
        self._target = target
        self._show = show
        self._turns = 0
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to read regularly how often the event loop woke a task."""
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Stop reading how often the event loop woke a task."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    async def _watch(self) -> None:
        clock = asyncio.get_running_loop().time
        last, asked_at = await self._read(), clock()
        while True:
            await asyncio.sleep(SHOW_SECONDS)
            now, answered_at = await self._read(), clock()
            if last is not None and now is not None and now >= last:
                self._turns += now - last
                each_second = round((now - last) / (answered_at - asked_at))
                self._show({"turns": self._turns, "each_second": each_second})
            # a server that was started again counts from zero
            last, asked_at = now, answered_at

    async def _read(self) -> int | None:
        """Return how often a task has woken since the server started.

        The task sleeps 5 ms at a time on the server's event loop. Returns None if the server does not answer.
        """
        try:
            return int((await self._target.probe.probes[0].ask("GET", "/answer"))["loop_turns"])
        except NO_SERVER:
            return None
