"""Answers for one allowance of a user over all processes: what each process lets pass is settled with Redis in lots."""

import time
from collections import Counter
from collections.abc import Callable

from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from ..cluster.redis_link import Away, Link
from ..limits import RateLimits
from ..settings import Settings

# A question costs more than most events do, and at the default rates a position would ask one each if this were 20. A
# fifth of a burst is what each process but one may let pass too much.
LOTS = 5


def lot(burst: int) -> int:
    """After how many events of a user Redis is asked."""
    return max(1, burst // LOTS)


class ClusterRateLimits(RateLimits):
    """The buckets of this process, and over them one window for all. Without Redis the buckets alone go on."""

    def __init__(self, settings: Settings, link: Link, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(settings, clock=clock)
        self._link = link
        storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix=link.key("rates"),
            connection_pool=link.pool,  # type: ignore[arg-type]  # its annotation knows plain values alone
        )
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        seconds = max(1, round(settings.burst_seconds))
        self._windows = {
            kind: RateLimitItemPerSecond(max(1, round(rate * seconds)), seconds, namespace=kind)
            for kind, rate in self._per_second.items()
        }
        self._unsettled: Counter[tuple[str, str]] = Counter()
        self._closed_until: dict[tuple[str, str], float] = {}

    async def wait_seconds(self, user: str, kind: str) -> float:
        """As for one process; the own bucket is asked first, so that a flood here does not become one of Redis."""
        wait_seconds = await super().wait_seconds(user, kind)
        if wait_seconds:
            return wait_seconds
        key, now = (user, kind), self._clock()
        if (until := self._closed_until.get(key, now)) > now:
            return until - now
        self._unsettled[key] += 1
        if self._unsettled[key] < lot(self._windows[kind].amount):
            return 0.0
        return await self._settle(key)

    async def _settle(self, key: tuple[str, str]) -> float:
        user, kind = key
        # taken before the answer: another tab's event may come meanwhile
        count = self._unsettled.pop(key)
        try:
            is_within = await self._link.ask(lambda _: self._limiter.hit(self._windows[kind], user, cost=count))
        except Away:
            return 0.0
        if is_within:
            return 0.0
        # this one is refused and does not count; the others of its lot did pass
        self._unsettled[key] += count - 1
        wait_seconds = count / self._per_second[kind]
        self._closed_until[key] = self._clock() + wait_seconds
        return wait_seconds

    def sweep(self) -> None:
        super().sweep()
        for table in (self._unsettled, self._closed_until):
            for key in [key for key in table if key not in self._buckets]:
                del table[key]
