"""Implements the `Cluster` protocol with Redis: state that several processes share."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

from ..cluster_protocol import Health, OnOrder, denials_options
from ..connection_limits import Counts
from ..denials import Denials
from ..idempotency import IdempotencyCache
from ..observability import Metrics
from ..rate_limits import RateLimits
from ..redis_url import require_one_server
from ..settings import Settings
from .client_manager import ClusterManager
from .counts import ClusterCounts
from .denials import ClusterDenials
from .idempotency import ClusterIdempotencyCache
from .rate_limits import ClusterRateLimits
from .redis_link import RedisLink

# how often `start` checks whether the own heartbeat has arrived
POLL_SECONDS = 0.02
# without Redis all processes still serve, so all stay in service; a deaf process is worse than the others
HEALTH = {"up": Health(True, "ready"), "down": Health(True, "degraded"), "deaf": Health(False, "deaf")}


class RedisCluster:
    """The state that this process shares through Redis with other processes."""

    is_shared = True

    def __init__(self, settings: Settings, metrics: Metrics, clock: Callable[[], float] = time.time) -> None:
        self.link = RedisLink(settings, metrics)
        self.rates: RateLimits = ClusterRateLimits(settings, self.link)
        self.counts: Counts = ClusterCounts(self.link)
        self.acks: IdempotencyCache = ClusterIdempotencyCache(self.link, handler_seconds=settings.handler_seconds)
        self._denials = ClusterDenials(self.link, **denials_options(settings, metrics, clock))
        self.denials: Denials = self._denials
        self._settings = settings
        self._manager: ClusterManager | None = None

    def client_manager(self, delivery_manager: type) -> Any:
        """Create the Socket.IO client manager of this process.

        A client manager is the object of python-socketio that stores who is in a room, and delivers emits. The
        class of the new manager has two base classes: `delivery_manager`, which delivers emits to this process's
        sockets, and `ClusterManager`, which publishes emits to other processes.
        """
        manager_class: Any = type("ClusterClientManager", (ClusterManager, delivery_manager), {})
        self._manager = manager_class(self.link)
        return self._manager

    def publish(self, message: dict[str, Any]) -> None:
        self.link.publish(message)

    async def start(self, on_order: OnOrder) -> None:
        """Connect to Redis, and subscribe to the messages of other processes.

        Then wait until this process receives its own heartbeat, which shows that the subscription works. If Redis is
        down or slow, the wait ends without an error. `on_order` has the callbacks that carry out commands from other
        processes and back ends, for example to disconnect a user. Raises `SettingsError` when `SERVER_REDIS_URL` is the
        URL of a Redis Cluster or of a Sentinel. Call `stop` even if this method raises an error.
        """
        await require_one_server(self._settings)
        await self.link.start()
        if self._manager is not None:
            self._manager.start(on_order)
        self._denials.start(on_order.check_connected)
        await self._wait_for_heartbeat()

    async def _wait_for_heartbeat(self) -> None:
        # a client that is served earlier would miss the messages of other processes
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.redis_deaf_seconds):
                while self.link.is_up and not self.link.has_own_heartbeat:  # noqa: ASYNC110 - there is no event for it
                    await asyncio.sleep(POLL_SECONDS)

    async def stop(self) -> None:
        """Unsubscribe, publish the waiting messages, and disconnect from Redis."""
        await self.link.stop()

    @property
    def reaches_all(self) -> bool:
        """True when Redis accepts messages to the other processes."""
        return self.link.is_up

    @property
    def failing(self) -> frozenset[str]:
        """The names of the long-lived Redis tasks that failed recently."""
        return self.link.background.failing

    def health(self) -> Health:
        """Return the readiness of this process, judged by its link to Redis.

        While Redis is down or refuses commands, the process is ready, but degraded. When Redis works, but this process
        receives no messages from other processes, the process is not ready.
        """
        health, detail = HEALTH[self.link.state], self.link.detail
        if not detail:
            return health
        return (HEALTH["down"] if health.is_ready else health).because(detail)
