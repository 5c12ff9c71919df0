"""Implementation of the `Cluster` protocol over Redis."""

import asyncio
import contextlib
from typing import Any

from ..cluster_protocol import Evict, Health
from ..connection_limits import Counts
from ..idempotency import IdempotencyCache
from ..observability import Metrics
from ..rate_limits import RateLimits
from ..redis_url import require_one_server
from ..settings import Settings
from .client_manager import ClusterManager
from .counts import ClusterCounts
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

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.link = RedisLink(settings, metrics)
        self.rates: RateLimits = ClusterRateLimits(settings, self.link)
        self.counts: Counts = ClusterCounts(self.link)
        self.acks: IdempotencyCache = ClusterIdempotencyCache(self.link, handler_seconds=settings.handler_seconds)
        self._settings = settings
        self._manager: ClusterManager | None = None

    def client_manager(self, delivery_manager: type) -> Any:
        """Create a client manager. It is a `delivery_manager` that also publishes to other processes."""
        manager_class: Any = type("ClusterClientManager", (ClusterManager, delivery_manager), {})
        self._manager = manager_class(self.link)
        return self._manager

    def publish(self, message: dict[str, Any]) -> None:
        self.link.publish(message)

    async def start(self, evict: Evict) -> None:
        """Connect to Redis, subscribe, and wait for this process's own heartbeat. Call `stop` even if this fails.

        Raises `SettingsError` when this Redis is a Cluster or a Sentinel.
        """
        await require_one_server(self._settings)
        await self.link.start()
        if self._manager is not None:
            self._manager.start(evict)
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
    def failing(self) -> frozenset[str]:
        """The names of the cluster's long-lived tasks that are not running."""
        return self.link.background.failing

    def health(self) -> Health:
        """Return the readiness of this process, which depends on Redis."""
        health, detail = HEALTH[self.link.state], self.link.detail
        if not detail:
            return health
        return (HEALTH["down"] if health.is_ready else health).because(detail)
