"""Answers for emits over several processes: delivered here at once, and told to the others.

The library's own manager for this (`AsyncPubSubManager`) is followed at its two documented methods, `_publish` and
`_listen`. It would wait for Redis at every emit, twice when Redis fails; here an emit waits for nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import socketio
from socketio.async_pubsub_manager import AsyncPubSubManager

from ..cluster.redis_link import Link, end
from ..delivery.room_manager import RoomManager

# a word of our own among the library's: close one socket of a user, the one silent longest
MAKE_WAY = "make_way"
# by namespace: closes the socket of a user that has been silent longest
Closing = Mapping[str, Callable[[str], Awaitable[None]]]


class Shared(AsyncPubSubManager):  # type: ignore[misc]  # the library ships no types
    """What several processes need of a client manager; the manager of each process comes by inheritance."""

    def __init__(self, link: Link, closing: Closing) -> None:
        super().__init__(channel=link.channel)
        self._closing = closing
        self.thread: asyncio.Task[None] | None = None
        self._link = link

    def initialize(self) -> None:
        """Begins to listen. The library does so at its first connection; a server that is ready has begun before."""
        if self.thread is None:
            super().initialize()

    async def stop(self) -> None:
        """Hears nothing more."""
        if self.thread is not None:
            await end([self.thread])

    def ask_to_make_way(self, process: str, namespace: str, user: str) -> None:
        """Asks another process to close a socket of this user."""
        self._link.say({"method": MAKE_WAY, "process": process, "namespace": namespace, "user": user})

    async def _publish(self, data: dict[str, Any]) -> None:
        self._link.say(data)

    async def _listen(self) -> AsyncIterator[dict[str, Any]]:
        async for message in self._link.heard():
            if message.get("method") != MAKE_WAY:
                yield message
            elif message.get("process") == self._link.name:
                await self._make_way(str(message.get("namespace")), str(message.get("user")))

    async def _make_way(self, namespace: str, user: str) -> None:
        # another release may serve other namespaces
        if namespace in self._closing:
            await self._closing[namespace](user)


class ClusterRoomManager(Shared, RoomManager):
    """Several processes on the delivery engine."""


class ClusterStockManager(Shared, socketio.AsyncManager):  # type: ignore[misc]  # the library ships no types
    """Several processes on the library's own path."""
