"""Answers for what one connection is owed: one order for events, acks and pings, written soon, and bounded.

A lone message is written at once. What follows within the gathering time is written together, in one call: most of the
price of a delivery is the system call. A reader that cannot keep up is closed when it is owed too much or for too long.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from engineio import packet

from ..delivery.frames import frame
from ..settings import Settings

# a backlog is looked at this often when nothing is gathered
LOOK_SECONDS = 0.05


class WriteBatcher:
    """One timer for all connections that were written to lately: those owed nothing more are forgotten at its tick.

    `on_slow` is told `slow` or `stalled` when a connection is closed because its reader cannot keep up.
    """

    def __init__(self, settings: Settings, *, on_slow: Callable[[str], None]) -> None:
        self.most_bytes = settings.outbox_bytes
        self.most_messages = settings.outbox_messages
        self.most_seconds = settings.write_seconds
        self.on_slow = on_slow
        self.seconds = settings.gather_milliseconds / 1000
        self._busy: dict[SendQueue, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def owed_bytes(self) -> int:
        """What all connections together are owed and have not been sent."""
        return sum(outbox.owed_bytes for outbox in self._busy)

    def add(self, outbox: "SendQueue") -> None:
        """Looks at `outbox` again at the next tick."""
        self._busy[outbox] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.seconds or LOOK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._timer = None
        busy, self._busy = self._busy, {}
        now = asyncio.get_running_loop().time()
        for outbox in busy:
            if outbox.look(now):
                self.add(outbox)


class SendQueue:
    """The queue that the library puts a connection's packets into; from `open` on it writes them itself.

    Until then, and for long polling for ever, it is the library's own queue, which is not made before it is needed: it
    holds more memory than all the rest of an idle connection's outbox.
    """

    __slots__ = ("_gathering", "_is_busy", "_pending", "_pending_bytes", "_queue", "_stuck_since", "_transport")

    def __init__(self, gathering: WriteBatcher) -> None:
        self._gathering = gathering
        self._queue: asyncio.Queue[Any] | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._is_busy = False
        self._stuck_since: float | None = None

    def open(self, transport: asyncio.WriteTransport, greeting: bytes) -> None:
        """Writes to `transport` from now on, first the `greeting`."""
        self._transport = transport
        self.write(greeting)

    async def put(self, item: Any) -> None:
        """Takes an Engine.IO packet, or None."""
        self.put_nowait(item)

    def put_nowait(self, item: Any) -> None:
        """Takes an Engine.IO packet, or None, which ends the library's reader of its queue."""
        if self._transport is None:
            self._library_queue.put_nowait(item)
            return
        if item is None:
            return
        self.write(frame(item.encode()))
        if item.packet_type == packet.CLOSE:
            # the library has given this connection up; a peer that is gone will not close it
            self.flush()
            self._transport.close()

    async def get(self) -> Any:
        """The library's reader takes a packet."""
        return await self._library_queue.get()

    def get_nowait(self) -> Any:
        """The library's reader takes a packet; raises `asyncio.QueueEmpty`."""
        return self._library_queue.get_nowait()

    def task_done(self) -> None:
        """The library's reader has sent a packet."""
        self._library_queue.task_done()

    async def join(self) -> None:
        """Waits until the library's reader has sent all it was given."""
        if self._queue is not None:
            await self._queue.join()

    @property
    def _library_queue(self) -> asyncio.Queue[Any]:
        if self._queue is None:
            self._queue = asyncio.Queue()
        return self._queue

    @property
    def is_open(self) -> bool:
        """Whether frames may be written to it."""
        return self._transport is not None

    @property
    def owed_bytes(self) -> int:
        """What is gathered, and what the peer has not taken."""
        return self._pending_bytes + (self._transport.get_write_buffer_size() if self._transport is not None else 0)

    def write(self, data: bytes) -> None:
        """Owes the connection one frame more; closes it when that is too much."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if not self._is_busy:
            self._is_busy = True
            self._gathering.add(self)
            transport.write(data)
            return
        self._pending.append(data)
        self._pending_bytes += len(data)
        if not self._gathering.seconds and not transport.get_write_buffer_size():
            self.flush()
        else:
            self._check(transport)

    def look(self, now: float) -> bool:
        """Writes what was gathered; returns whether this connection has to be looked at again."""
        transport = self._transport
        if transport is None or transport.is_closing():
            self._forget()
            return False
        unsent = transport.get_write_buffer_size()
        if unsent:
            return self._wait(transport, now)
        self._stuck_since = None
        if not self._pending:
            self._is_busy = False
            return False
        self.flush()
        return True

    def flush(self) -> None:
        """Writes everything owed, in one call."""
        if self._transport is not None and self._pending and not self._transport.is_closing():
            self._transport.write(b"".join(self._pending))
        self._pending, self._pending_bytes = [], 0

    def _wait(self, transport: asyncio.WriteTransport, now: float) -> bool:
        """The peer's buffers are full; that is all right for a while."""
        if self._stuck_since is None:
            self._stuck_since = now
        if now - self._stuck_since > self._gathering.most_seconds:
            self._close(transport, "stalled")
            return False
        return True

    def _check(self, transport: asyncio.WriteTransport) -> None:
        """Bytes are bounded for everyone; many small messages in one burst are held against a stuck reader only."""
        if self._pending_bytes + transport.get_write_buffer_size() > self._gathering.most_bytes:
            self._close(transport, "slow")
        elif len(self._pending) > self._gathering.most_messages:
            if self._stuck_since is None:
                self.flush()
            else:
                self._close(transport, "slow")

    def _close(self, transport: asyncio.WriteTransport, reason: str) -> None:
        self._forget()
        self._gathering.on_slow(reason)
        # not close(): that would wait for a reader who does not read
        transport.abort()

    def _forget(self) -> None:
        self._pending, self._pending_bytes, self._is_busy, self._stuck_since = [], 0, False, None
