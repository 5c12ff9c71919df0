"""Socket.IO client manager that also publishes emits to other processes.

It overrides `_publish` and `_listen` of python-socketio's `AsyncPubSubManager`, as its documentation says. The Redis
manager of python-socketio waits for Redis at every emit, and twice when Redis fails. Here an emit never waits.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from socketio.async_pubsub_manager import AsyncPubSubManager

from ..cluster_protocol import EVICT, Evict
from .redis_link import RedisLink, cancel_all


class ClusterManager(AsyncPubSubManager):  # type: ignore[misc]  # the library ships no types
    """Client manager that also publishes emits to other processes."""

    def __init__(self, link: RedisLink) -> None:
        super().__init__(channel=link.channel)
        self.thread: asyncio.Task[None] | None = None
        self._link = link
        self._evict: Evict | None = None

    def start(self, evict: Evict) -> None:
        """Subscribe to the messages of other processes. `evict` is called when one of them asks for it."""
        self._evict = evict
        self.initialize()

    def initialize(self) -> None:
        # the library calls this too, at its first connection
        if self.thread is None:
            super().initialize()

    async def stop(self) -> None:
        """Cancel the subscription to other processes."""
        if self.thread is not None:
            await cancel_all([self.thread])

    async def _publish(self, data: dict[str, Any]) -> None:
        self._link.publish(data)

    async def _listen(self) -> AsyncIterator[dict[str, Any]]:
        async for message in self._link.messages():
            if message.get("method") != EVICT:
                yield message
            elif message.get("process") == self._link.name and self._evict is not None:
                await self._evict(str(message.get("namespace")), str(message.get("user")))
