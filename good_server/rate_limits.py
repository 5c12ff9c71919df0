"""Answers for rates and caps: how often one may do a thing, and how many of a thing there may be.

RateLimits belong to users and caps to addresses, never to sockets: a second tab buys no second allowance.
"""

import asyncio
import time
import types
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from .settings import Settings


class TokenBucket:
    """Lets `rate` things a second pass, and `burst` at once after a rest."""

    __slots__ = ("_burst", "_filled", "_last", "_rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._filled = burst
        self._last = now

    def take(self, now: float) -> float:
        """0.0 when one may pass, and it is counted; otherwise the seconds until the next one may."""
        self._refill(now)
        if self._filled >= 1:
            self._filled -= 1
            return 0.0
        return (1 - self._filled) / self._rate

    def is_full(self, now: float) -> bool:
        """Whether it is as good as new, so that it can be forgotten."""
        self._refill(now)
        return self._filled >= self._burst

    def _refill(self, now: float) -> None:
        self._filled = min(self._burst, self._filled + (now - self._last) * self._rate)
        self._last = now


class RateLimits:
    """One bucket a user and kind (`events`, `chat`, `tracking`); a full bucket is forgotten by `sweep`."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._burst_seconds = settings.burst_seconds
        self._per_second = {
            "events": settings.events_per_second,
            "chat": settings.chat_per_second,
            "tracking": settings.tracking_per_second,
        }
        self._buckets: dict[tuple[str, str], TokenBucket] = {}

    async def wait_seconds(self, user: str, kind: str) -> float:
        """0.0 when the user may do one more, which is counted; otherwise how long to wait."""
        now = self._clock()
        bucket = self._buckets.get((user, kind))
        if bucket is None:
            rate = self._per_second[kind]
            bucket = self._buckets[user, kind] = TokenBucket(rate, max(1.0, rate * self._burst_seconds), now)
        return bucket.take(now)

    def sweep(self) -> None:
        """Forgets who has been quiet long enough; memory follows the users that are active."""
        now = self._clock()
        full = [key for key, bucket in self._buckets.items() if bucket.is_full(now)]
        for key in full:
            del self._buckets[key]


class Counts:
    """What other processes of this server count, as it is when there are none; `kind` is `address` or `user`."""

    async def counts(self, kind: str, name: str) -> dict[str, int]:
        """How many each of the others has."""
        return {}

    def tell(self, kind: str, name: str, count: int) -> None:
        """Tells the others how many there are here now."""

    def renew(self) -> None:
        """Tells the others that this process lives."""


class ConnectionLimits:
    """How many connections there are, in all and by address, and how fast new ones come.

    The cap of an address holds over all processes, but for those that connect to several in the same instant; how many
    there may be in all, and how fast, is what one process can bear.
    """

    def __init__(
        self, settings: Settings, elsewhere: Counts | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._elsewhere = elsewhere or Counts()
        self._clock = clock
        self._by_address: Counter[str] = Counter()
        self._new = TokenBucket(settings.connects_per_second, max(1.0, settings.connects_per_second), clock())

    @property
    def connections(self) -> int:
        """Connections open now."""
        return self._by_address.total()

    async def is_crowded(self, address: str) -> bool:
        """Whether this address has as many connections as it may."""
        most = self._settings.sockets_per_address
        if self._by_address[address] >= most:
            return True
        others = await self._elsewhere.counts("address", address)
        return self._by_address[address] + sum(others.values()) >= most

    def wait_seconds(self) -> float:
        """0.0 when the server takes one more connection now; otherwise when to ask again."""
        if self.connections >= self._settings.connections:
            return 5.0
        return self._new.take(self._clock())

    @contextmanager
    def passage(self, address: str) -> Iterator[None]:
        """Counts one connection of an address for as long as it is open."""
        self._by_address[address] += 1
        self._elsewhere.tell("address", address, self._by_address[address])
        try:
            yield
        finally:
            self._by_address[address] -= 1
            self._elsewhere.tell("address", address, self._by_address[address])
            if not self._by_address[address]:
                del self._by_address[address]


T = TypeVar("T")


async def within(seconds: float, coroutine: Coroutine[Any, Any, T]) -> T:
    """What `coroutine` gives; raises `TimeoutError` when it waits for longer.

    Most handlers never wait for anything. They are run without a timer, which would cost as much as they do.
    """
    try:
        waits_for = coroutine.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # that is what a coroutine's end carries
    async with asyncio.timeout(seconds):
        return await _rest_of(coroutine, waits_for)


@types.coroutine
def _rest_of(coroutine: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """Goes on with a coroutine that has begun, as `await` does with one that has not."""
    while True:
        try:
            value = yield waits_for
        except BaseException as error:  # noqa: BLE001 - nothing is caught: it is handed in, and comes out again
            step: Callable[[Any], Any] = coroutine.throw
            value = error
        else:
            step = coroutine.send
        try:
            waits_for = step(value)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # that is what a coroutine's end carries
