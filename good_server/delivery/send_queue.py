"""Send queue of one connection. It batches writes, and its size is bounded.

Events, acks and pings stay in order. A single message is written immediately. Messages that follow within
`gather_milliseconds` (a setting) are written in one call, because the system call is most of the cost of a delivery. A
client that reads too slowly is disconnected.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from engineio import packet

from ..closing import close_soon
from ..observability import log
from ..settings import Settings
from .frames import frame

# how often a backlog is checked when batching is off
CHECK_SECONDS = 0.05


class WriteBatcher:
    """One timer that writes the waiting messages of all send queues.

    `on_slow` is called when a connection is closed because its client reads too slowly. Its argument is `slow` when too
    many bytes or messages wait, and `stalled` when a write has not finished for too long.
    """

    def __init__(self, settings: Settings, *, on_slow: Callable[[str], None]) -> None:
        self.max_bytes = settings.outbox_bytes
        self.max_messages = settings.outbox_messages
        self.max_stalled_seconds = settings.write_seconds
        self.on_slow = on_slow
        self.batch_seconds = settings.gather_milliseconds / 1000
        self._busy: dict[SendQueue, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def owed_bytes(self) -> int:
        """The number of bytes that wait to be sent on all connections."""
        return sum(send_queue.owed_bytes for send_queue in self._busy)

    def add(self, send_queue: "SendQueue") -> None:
        """Call `send_queue.tick` when the timer next fires, to write the waiting messages."""
        self._busy[send_queue] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.batch_seconds or CHECK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._timer = None
        busy, self._busy = self._busy, {}
        now = asyncio.get_running_loop().time()
        for send_queue in busy:
            try:
                if send_queue.tick(now):
                    self.add(send_queue)
            except Exception as error:  # noqa: BLE001 - one connection must not stop the writes to the others
                log.error("failed", where="send queue", exc_info=error)
                send_queue.abort()


class SendQueue:
    """The send queue of one connection, with the interface of `asyncio.Queue`.

    After a call of `open`, this queue writes to the transport itself. Before that call, and always for long polling,
    this queue passes packets to python-engineio through an inner `asyncio.Queue`. The inner queue is created only when
    needed, because it would take most of the memory of an idle connection.
    """

    __slots__ = (
        "_batcher",
        "_is_busy",
        "_pending",
        "_pending_bytes",
        "_queue",
        "_stuck_since",
        "_transport",
        "close_reason",
    )

    def __init__(self, batcher: WriteBatcher) -> None:
        self._batcher = batcher
        self._queue: asyncio.Queue[Any] | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._is_busy = False
        self._stuck_since: float | None = None
        # why this queue closed its connection: `slow` or `stalled`
        self.close_reason: str | None = None

    def open(self, transport: asyncio.WriteTransport, first_bytes: bytes) -> None:
        """Write to `transport` from now on, starting with `first_bytes`."""
        self._transport = transport
        self.write(first_bytes)

    async def put(self, item: Any) -> None:
        self.put_nowait(item)

    def put_nowait(self, item: Any) -> None:
        """Add an Engine.IO packet.

        If `item` is None, the task of python-engineio that reads this queue ends. After `open`, None is ignored.
        """
        if self._transport is None:
            self._put_for_library(item)
            return
        if item is None:
            return
        self.write(frame(item.encode()))
        if item.packet_type == packet.CLOSE:
            # the library has given up this connection, and a lost peer would never close it
            self.flush()
            close_soon(self._transport)

    def _put_for_library(self, item: Any) -> None:
        queue = self._library_queue
        if self.close_reason is not None:
            return
        if queue.qsize() >= self._batcher.max_messages:
            # a client of long polling that no longer asks: None ends its session
            self.close_reason = "slow"
            self._batcher.on_slow("slow")
            while not queue.empty():
                queue.get_nowait()
                queue.task_done()
            item = None
        queue.put_nowait(item)

    # python-engineio's reader for long polling calls get, get_nowait, task_done and join
    async def get(self) -> Any:
        return await self._library_queue.get()

    def get_nowait(self) -> Any:
        return self._library_queue.get_nowait()

    def task_done(self) -> None:
        self._library_queue.task_done()

    async def join(self) -> None:
        if self._queue is not None:
            await self._queue.join()

    @property
    def _library_queue(self) -> asyncio.Queue[Any]:
        if self._queue is None:
            self._queue = asyncio.Queue()
        return self._queue

    @property
    def is_open(self) -> bool:
        """True after `open`: this queue writes to its transport itself."""
        return self._transport is not None

    @property
    def owed_bytes(self) -> int:
        """Number of bytes that wait in this queue and in its transport."""
        return self._pending_bytes + (self._transport.get_write_buffer_size() if self._transport is not None else 0)

    @property
    def is_backed_up(self) -> bool:
        """True while the client has not read all earlier messages."""
        if self._transport is None:
            return self._queue is not None and not self._queue.empty()
        return self._transport.get_write_buffer_size() > 0

    def write(self, data: bytes) -> None:
        """Write `data` now, or store it if earlier data was written recently.

        The stored data is later written in one call. Close the connection if too much data waits. If the connection is
        not open, discard `data`.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if not self._is_busy:
            self._is_busy = True
            self._batcher.add(self)
            transport.write(data)
            return
        self._pending.append(data)
        self._pending_bytes += len(data)
        if not self._batcher.batch_seconds and not transport.get_write_buffer_size():
            self.flush()
        else:
            self._check_bounds(transport)

    def tick(self, now: float) -> bool:
        """Write the waiting messages if the transport has sent all earlier bytes.

        If the transport keeps earlier bytes for too long, close the connection. `now` is the time of the event loop.
        Return whether this queue needs another call of `tick`.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            self._reset()
            return False
        if transport.get_write_buffer_size():
            return self._may_wait(transport, now)
        self._stuck_since = None
        if not self._pending:
            self._is_busy = False
            return False
        self.flush()
        return True

    def flush(self) -> None:
        """Write all waiting messages to the transport in one call."""
        if self._transport is not None and self._pending and not self._transport.is_closing():
            self._transport.write(b"".join(self._pending))
        self._pending, self._pending_bytes = [], 0

    def abort(self) -> None:
        """End the connection immediately, and discard the messages that wait.

        The client then reconnects, instead of waiting for messages that were discarded.
        """
        self._reset()
        if self._transport is not None:
            self._transport.abort()

    def _may_wait(self, transport: asyncio.WriteTransport, now: float) -> bool:
        # full buffers at the peer are normal for a short time
        if self._stuck_since is None:
            self._stuck_since = now
        is_stalled = now - self._stuck_since > self._batcher.max_stalled_seconds
        if is_stalled:
            self._close(transport, "stalled")
        return not is_stalled

    def _check_bounds(self, transport: asyncio.WriteTransport) -> None:
        # bytes are always bounded; the number of messages is bounded only while the reader is stuck
        is_long = len(self._pending) > self._batcher.max_messages
        owed_bytes = self._pending_bytes + transport.get_write_buffer_size()
        if owed_bytes > self._batcher.max_bytes or (is_long and self._stuck_since is not None):
            self._close(transport, "slow")
        elif is_long:
            self.flush()

    def _close(self, transport: asyncio.WriteTransport, reason: str) -> None:
        self._reset()
        self.close_reason = reason
        self._batcher.on_slow(reason)
        # not close(): that would wait for the reader that does not read
        transport.abort()

    def _reset(self) -> None:
        self._pending, self._pending_bytes, self._is_busy, self._stuck_since = [], 0, False, None
