"""Rate limits: token buckets per process, and sliding windows in Redis.

The sliding windows count the events of all processes together.
"""

import time
from collections import Counter
from collections.abc import Callable

from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from ..rate_limits import RateLimits
from ..settings import Settings
from .redis_link import RedisLink
from .redis_pool import RedisUnavailable

# a query costs more than most events do; with 20, each position would need a query at the default rates. With 5 each
# other process may overshoot by a fifth of a burst
SYNCS_PER_BURST = 5


def sync_batch(burst: int) -> int:
    """Return how many user events to count before a sync with Redis.

    A sync adds these events to a sliding window in Redis, which counts the user's events in all processes. `burst` is
    the number of events that the user may send in one sliding window.
    """
    return max(1, burst // SYNCS_PER_BURST)


class ClusterRateLimits(RateLimits):
    """Limits a user's events in this process, and in all processes together.

    The limit of one process is a token bucket. The limit of all processes is a sliding window in Redis, to which each
    process adds its events in batches. Without Redis only the token buckets apply.
    """

    def __init__(self, settings: Settings, link: RedisLink, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(settings, clock=clock)
        self._link = link
        storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix=link.key("rates"),
            connection_pool=link.pool,  # type: ignore[arg-type]  # the annotation allows plain values only
        )
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        seconds = max(1, round(settings.burst_seconds))
        self._windows = {
            kind: RateLimitItemPerSecond(max(1, round(rate * seconds)), seconds, namespace=kind)
            for kind, rate in self._per_second.items()
        }
        self._unsynced: Counter[tuple[str, str]] = Counter()
        self._refused_until: dict[tuple[str, str], float] = {}

    async def wait_seconds(self, user: str, kind: str) -> float:
        """Count an event and return 0.0. If the user sends too fast, return the seconds to wait.

        `kind` is the kind of rate limit: `events`, or a kind from `settings/product.py`, such as `chat`.
        """
        # the local bucket comes first, so that a flood of events does not become a flood of queries
        wait_seconds = await super().wait_seconds(user, kind)
        if wait_seconds:
            return wait_seconds
        key, now = (user, kind), self._clock()
        if (until := self._refused_until.get(key, now)) > now:
            return until - now
        self._unsynced[key] += 1
        if self._unsynced[key] < sync_batch(self._windows[kind].amount):
            return 0.0
        return await self._sync(key)

    async def _sync(self, key: tuple[str, str]) -> float:
        user, kind = key
        # removed before the query: an event of another tab may arrive during it
        count = self._unsynced.pop(key)
        try:
            is_within = await self._link.query(lambda _: self._limiter.hit(self._windows[kind], user, cost=count))
        except RedisUnavailable:
            return 0.0
        if is_within:
            return 0.0
        # this event is refused and does not count; the others of its batch did pass
        self._unsynced[key] += count - 1
        wait_seconds = count / self._per_second[kind]
        self._refused_until[key] = self._clock() + wait_seconds
        return wait_seconds

    def sweep(self) -> None:
        super().sweep()
        for table in (self._unsynced, self._refused_until):
            for key in [key for key in table if key not in self._buckets]:
                del table[key]
