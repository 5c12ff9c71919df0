"""Rate limits: how often a user may send events."""

import time
from collections.abc import Callable, Collection

from .settings import Settings
from .token_bucket import TokenBucket


class RateLimits:
    """One token bucket per user and kind of limit. All tabs of a user share these buckets.

    The kinds are `events` (all events of the user) and the rates that your product declares in `settings/product.py`,
    such as `chat`.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._burst_seconds = settings.burst_seconds
        self._per_second = settings.rates
        self._buckets: dict[tuple[str, str], TokenBucket] = {}

    @property
    def kinds(self) -> Collection[str]:
        """The names of the rate limits, such as `chat`. The `Route` of an event can name one of these limits."""
        return self._per_second.keys()

    async def wait_seconds(self, user: str, kind: str) -> float:
        """Count an event and return 0.0. If the user sends too fast, return the seconds to wait.

        `kind` is the kind of rate limit: `events`, or a rate that your product declares, such as `chat`.
        """
        now = self._clock()
        bucket = self._buckets.get((user, kind))
        if bucket is None:
            rate = self._per_second[kind]
            bucket = self._buckets[user, kind] = TokenBucket(rate, max(1.0, rate * self._burst_seconds), now)
        return bucket.take(now)

    def sweep(self) -> None:
        """Delete full token buckets, to save memory. A user's next event creates a new full bucket."""
        now = self._clock()
        full = [key for key, bucket in self._buckets.items() if bucket.is_full(now)]
        for key in full:
            del self._buckets[key]
