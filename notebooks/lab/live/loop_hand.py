"""Shows on the live page whether a server's event loop is blocked.

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
    """Reads repeatedly how often a server's event loop has turned.

    The turns are counted by the server's probe: code that the lab runs in the server process, to measure it. A task of
    the probe sleeps 5 ms at a time, and each wake-up counts as one turn. While a handler computes, nothing is counted,
    and the probe does not answer. `show` is called with `{"turns", "each_second"}`: the number of all turns, and the
    latest number per second.
    """

    def __init__(self, target: Target, show: Callable[[dict[str, Any]], None]) -> None:
        self._target = target
        self._show = show
        self._turns = 0
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to read repeatedly how often the event loop has turned."""
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Stop reading how often the event loop has turned."""
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
        """Return how many turns the event loop made since the server started.

        A turn is one wake-up of a task that sleeps 5 ms at a time. Returns None if the server does not answer.
        """
        try:
            return int((await self._target.probe.probes[0].ask("GET", "/answer"))["loop_turns"])
        except NO_SERVER:
            return None
