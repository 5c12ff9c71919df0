"""The token bucket, the algorithm of all rate limits."""


class TokenBucket:
    """A token bucket: it gains `rate` tokens per second, up to `burst`."""

    __slots__ = ("_burst", "_last", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._last = now

    def take(self, now: float) -> float:
        """Take a token and return 0.0. If there is none, return the seconds until the next token."""
        self._refill(now)
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate

    def is_full(self, now: float) -> bool:
        """Return whether the bucket is full. A full bucket can be deleted: a new one would be the same."""
        self._refill(now)
        return self._tokens >= self._burst

    def _refill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._last) * self._rate)
        self._last = now
