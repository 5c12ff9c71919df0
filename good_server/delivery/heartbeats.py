"""Engine.IO heartbeats of all connections, with a single timer.

python-engineio makes one task per ping, and checks all sockets for late answers. In this module all sockets have the
same ping interval. So the socket that was added first is due first, and the timer checks only the first sockets. All
times are event loop times.
"""

import asyncio
import itertools
import math
from typing import Any

from engineio import packet

from ..observability import log
from .frames import frame

PING = frame(packet.Packet(packet.PING).encode())
# Sockets that are due within this time are handled together. It is short: all of them answer at once, and the messages
# of others wait meanwhile.
TICK_SECONDS = 0.005
# Clients that connected at the same moment are due at the same moment. So many of them are pinged in a row,
# and the others a tick later.
PINGS_PER_TICK = 10


class Heartbeats:
    """Pings sockets, and closes those that do not answer in time."""

    def __init__(self, interval_seconds: float, timeout_seconds: float) -> None:
        self._interval_seconds = interval_seconds
        self._timeout_seconds = timeout_seconds
        self._ping_at: dict[Any, float] = {}
        self._close_at: dict[Any, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def add(self, socket: Any) -> None:
        """Schedule one PING to a socket, after the ping interval. Its PONG schedules the next PING."""
        loop = asyncio.get_running_loop()
        self._ping_at[socket] = when = loop.time() + self._interval_seconds
        if self._timer is None or when < self._timer.when():
            self._arm(loop)

    def record_pong(self, socket: Any) -> bool:
        """Record a PONG from `socket`, and return True.

        If the server had sent no PING, change nothing and return False.
        """
        if self._close_at.pop(socket, None) is None:
            return False
        self.add(socket)
        return True

    def remove(self, socket: Any) -> None:
        """Send no more PINGs to a socket that is disconnected."""
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
        # twice the average, so that a short interval with many sockets does not fall behind
        average = TICK_SECONDS * len(self._ping_at) / self._interval_seconds
        for socket in _take_due(self._ping_at, now, PINGS_PER_TICK + math.ceil(2 * average)):
            self._close_at[socket] = now + self._timeout_seconds
            _ping(socket)
        silent = _take_due(self._close_at, now, len(self._close_at))
        if silent:
            task = loop.create_task(_close(silent))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        self._arm(loop)


def _take_due(times: dict[Any, float], now: float, most: int) -> list[Any]:
    due = list(itertools.takewhile(lambda socket: times[socket] <= now, itertools.islice(times, most)))
    for socket in due:
        del times[socket]
    return due


def _ping(socket: Any) -> None:
    try:
        socket.queue.write(PING)
    except Exception as error:  # noqa: BLE001 - one socket must not end the heartbeats of the others
        log.error("failed", where="heartbeat", exc_info=error)


async def _close(silent: list[Any]) -> None:
    # one by one: a thousand closes at once would block the event loop
    for socket in silent:
        try:
            await socket.close(wait=False, abort=False, reason=socket.server.reason.PING_TIMEOUT)
        except Exception as error:  # noqa: BLE001 - one socket must not keep the others open
            log.error("failed", where="heartbeat", exc_info=error)
        await asyncio.sleep(0)
