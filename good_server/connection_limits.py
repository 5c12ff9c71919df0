"""Caps on connections, and on the rate of new ones."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .settings import Settings
from .token_bucket import TokenBucket

# when to ask again while the server is full
FULL_RETRY_SECONDS = 5.0


class Counts:
    """Counts of the other processes of this server; here there are none.

    A `kind` of count is `address` or `user`, a `name` is one address or user.
    """

    async def of_others(self, kind: str, name: str) -> dict[str, int]:
        """Return the count of each other process by its name."""
        return {}

    def publish(self, kind: str, name: str, count: int) -> None:
        """Publish this process's count to the others."""

    def renew_lease(self) -> None:
        """Publish that this process is alive."""


class ConnectionLimits:
    """The caps on connections, in all and by address.

    The cap of an address holds over all processes, except for clients that connect to several in the same instant. The
    total cap and the rate hold for one process: they are what one process can carry.
    """

    def __init__(
        self, settings: Settings, counts: Counts | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._counts = counts or Counts()
        self._clock = clock
        self._by_address: Counter[str] = Counter()
        self._new = TokenBucket(settings.connects_per_second, max(1.0, settings.connects_per_second), clock())

    @property
    def connections(self) -> int:
        """The number of connections that are open now."""
        return self._by_address.total()

    async def is_address_full(self, address: str) -> bool:
        """Whether this address has as many connections as it may."""
        most = self._settings.sockets_per_address
        if self._by_address[address] >= most:
            return True
        others = await self._counts.of_others("address", address)
        return self._by_address[address] + sum(others.values()) >= most

    def wait_seconds(self) -> float:
        """Return 0.0 to accept one more connection, or the seconds to wait."""
        if self.connections >= self._settings.connections:
            return FULL_RETRY_SECONDS
        return self._new.take(self._clock())

    @contextmanager
    def counted(self, address: str) -> Iterator[None]:
        """Count one connection of an address while it is open."""
        self._by_address[address] += 1
        self._counts.publish("address", address, self._by_address[address])
        try:
            yield
        finally:
            self._by_address[address] -= 1
            self._counts.publish("address", address, self._by_address[address])
            if not self._by_address[address]:
                del self._by_address[address]
