"""Socket.IO client manager that also publishes emits to other processes.

It follows the two documented methods of the library's own manager for this (`AsyncPubSubManager`): `_publish` and
`_listen`. The library's manager waits for Redis at every emit, and twice when Redis fails. Here an emit never waits.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from socketio.async_pubsub_manager import AsyncPubSubManager

from ..cluster_protocol import EVICT, Evict
from .redis_link import RedisLink, cancel_all


class ClusterManager(AsyncPubSubManager):  # type: ignore[misc]  # the library ships no types
    """Adds the other processes to the client manager of one process."""

    def __init__(self, link: RedisLink) -> None:
        super().__init__(channel=link.channel)
        self.thread: asyncio.Task[None] | None = None
        self._link = link
        self._evict: Evict | None = None

    def start(self, evict: Evict) -> None:
        """Subscribe before the first connection. `evict` serves the requests of other processes."""
        self._evict = evict
        self.initialize()

    def initialize(self) -> None:
        # the library calls this too, at its first connection
        if self.thread is None:
            super().initialize()

    async def stop(self) -> None:
        """Cancel the subscription."""
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
