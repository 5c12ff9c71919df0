"""Limits on the number of connections and on new connections per second."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .settings import Settings
from .token_bucket import TokenBucket

# sent as Retry-After while the server has its maximum of connections
FULL_RETRY_SECONDS = 5.0


class Counts:
    """Connection counts of other processes. This class is for a server with one process.

    A `kind` of count is `address` or `user`; a `name` is one address or one user.
    """

    async def of_others(self, kind: str, name: str, *, own: int | None = None) -> dict[str, int]:
        """Return the other processes' counts for `name`, keyed by process name.

        With `own`, the count of this process is stored first, so that one of two processes sees the other's.
        """
        return {}

    def publish(self, kind: str, name: str, count: int) -> None:
        """Send this process's count for `name` to the other processes."""

    def renew_lease(self) -> None:
        """Tell the other processes that this process is still running."""


class ConnectionLimits:
    """The limits on connections: in total, per address and per second.

    The limit per address is for all processes together, but connects to several processes at the same moment may exceed
    it. The other two limits are for each process: they are what one process can serve.
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
        """The number of open connections of this process."""
        return self._by_address.total()

    async def is_address_full(self, address: str) -> bool:
        """Return whether this address has reached its limit of connections."""
        most = self._settings.sockets_per_address
        if self._by_address[address] >= most:
            return True
        others = await self._counts.of_others("address", address)
        return self._by_address[address] + sum(others.values()) >= most

    def wait_seconds(self) -> float:
        """Return 0.0 if a new connection is allowed, else seconds to wait. An allowed one is counted in the rate."""
        if self.connections >= self._settings.connections:
            return FULL_RETRY_SECONDS
        return self._new.take(self._clock())

    @contextmanager
    def counted(self, address: str) -> Iterator[None]:
        """Count one connection of `address` while the `with` block runs."""
        self._by_address[address] += 1
        self._counts.publish("address", address, self._by_address[address])
        try:
            yield
        finally:
            self._by_address[address] -= 1
            self._counts.publish("address", address, self._by_address[address])
            if not self._by_address[address]:
                del self._by_address[address]
