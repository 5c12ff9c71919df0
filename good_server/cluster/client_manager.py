"""Socket.IO client manager that also publishes emits to other processes.

A client manager is the object of python-socketio that stores who is in a room, and delivers emits. This manager extends
`AsyncPubSubManager`, as the documentation of python-socketio describes. python-socketio's own Redis manager waits for
Redis at every emit, and waits twice when Redis fails. An emit of this manager never waits for Redis.
python-socketio can also publish other operations, such as leaving a room; this manager publishes only emits to rooms.
"""

import time
from typing import Any

from socketio.async_pubsub_manager import AsyncPubSubManager

from ..cluster_protocol import EVICT, Evict, OnOrder
from ..observability import log
from ..orders import Move, read_order
from .channel import is_room_emit
from .redis_link import RedisLink

# the name of the long-lived task, in the log and in `/readyz`
LISTENER = "redis listener"
# time between two log entries about messages that failed; the metric counts all of them
LOG_SECONDS = 10.0


class ClusterManager(AsyncPubSubManager):  # type: ignore[misc]  # the library ships no types
    """Client manager that also publishes emits to other processes.

    A client manager is the object of python-socketio that stores who is in a room, and delivers emits.
    """

    def __init__(self, link: RedisLink) -> None:
        super().__init__(channel=link.channel)
        self._link = link
        self._evict: Evict | None = None
        self._on_order: OnOrder | None = None
        self._log_at = 0.0

    def start(self, on_order: OnOrder) -> None:
        """Subscribe to the messages of other processes, and of back ends.

        A message can be a command, for example to disconnect a user. `on_order` has the callbacks that carry out such
        commands.
        """
        self._on_order, self._evict = on_order, on_order.evict
        self._link.background.start(LISTENER, self._listen_forever)

    def initialize(self) -> None:
        """Do nothing: python-socketio's own listener must not start.

        That listener receives the messages of other processes. While Redis fails, it would write log entries without
        end. It would also execute every message on the channel.
        """

    async def _publish(self, data: dict[str, Any]) -> None:
        if is_room_emit(data):
            self._link.publish(data)

    async def _listen_forever(self) -> None:
        async for message in self._link.messages():
            try:
                await self._receive(message)
            except Exception as error:  # noqa: BLE001 - one message must not end the subscription: others follow it
                self._note_failure(error)

    def _note_failure(self, error: Exception) -> None:
        self._link.ignore()
        # anybody who may publish can send such messages by the thousand
        if time.monotonic() >= self._log_at:
            self._log_at = time.monotonic() + LOG_SECONDS
            log.error("a message of another process failed", exc_info=error)

    async def _receive(self, message: dict[str, Any]) -> None:
        if message.get("method") == EVICT:
            if message.get("process") == self._link.name and self._evict is not None:
                await self._evict(str(message.get("namespace")), str(message.get("user")))
        elif is_room_emit(message):
            await self._handle_emit(message)
        else:
            await self._follow(message)

    async def _follow(self, message: dict[str, Any]) -> None:
        order = read_order(message, time.time())
        if order is None or self._on_order is None:
            self._link.ignore()
        elif isinstance(order, Move):
            await self._on_order.move(order)
        else:
            await self._on_order.disconnect(order)
