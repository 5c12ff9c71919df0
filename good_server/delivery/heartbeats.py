"""Answers for the heartbeat of Engine.IO: who is silent is asked, and who does not answer is closed.

The library makes a task for each ping and walks over all sockets to find late ones. As all wait equally long, the order
in which they began to wait is the order in which they are due, and one timer looks at the first of them.
"""

import asyncio
from typing import Any

from engineio import packet

from ..delivery.frames import frame

PING = frame(packet.Packet(packet.PING).encode())
# those due within this time are looked at together
TICK_SECONDS = 0.05


class Heartbeats:
    """The sockets that wait for their next ping, and those that owe an answer to one; times are the loop's."""

    def __init__(self, interval_seconds: float, timeout_seconds: float) -> None:
        self._interval_seconds = interval_seconds
        self._timeout_seconds = timeout_seconds
        self._ping_at: dict[Any, float] = {}
        self._close_at: dict[Any, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def add(self, socket: Any) -> None:
        """A socket is open: it is asked after the interval."""
        loop = asyncio.get_running_loop()
        self._ping_at[socket] = when = loop.time() + self._interval_seconds
        if self._timer is None or when < self._timer.when():
            self._arm(loop)

    def answered(self, socket: Any) -> None:
        """A socket sent a PONG; one that nobody asked for changes nothing."""
        if self._close_at.pop(socket, None) is not None:
            self.add(socket)

    def forget(self, socket: Any) -> None:
        """A socket is gone."""
        self._ping_at.pop(socket, None)
        self._close_at.pop(socket, None)

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = [next(iter(times.values())) for times in (self._ping_at, self._close_at) if times]
        self._timer = loop.call_at(max(min(due), loop.time() + TICK_SECONDS), self._tick) if due else None

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for socket in _take_due(self._ping_at, now):
            self._close_at[socket] = now + self._timeout_seconds
            socket.queue.write(PING)
        silent = _take_due(self._close_at, now)
        if silent:
            task = loop.create_task(_close(silent))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        self._arm(loop)


def _take_due(times: dict[Any, float], now: float) -> list[Any]:
    due = []
    for socket, when in times.items():
        if when > now:
            break
        due.append(socket)
    for socket in due:
        del times[socket]
    return due


async def _close(silent: list[Any]) -> None:
    """One after the other: a thousand at once would keep the loop from everyone else."""
    for socket in silent:
        await socket.close(wait=False, abort=False, reason=socket.server.reason.PING_TIMEOUT)
        await asyncio.sleep(0)
