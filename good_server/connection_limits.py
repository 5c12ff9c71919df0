"""Limits on the number of connections and on new connections per second."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .settings import Settings
from .token_bucket import TokenBucket

# sent as Retry-After while the server has its maximum of connections
FULL_RETRY_SECONDS = 5.0
# TCP connections for each allowed socket: beside the sockets, some are just being opened or refused
TCP_PER_SOCKET = 2
# an address may connect twice its rate at once: a browser that reopens its tabs
ADDRESS_BURST_SECONDS = 2.0


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

    The limit per address is for all processes together. The others are for each process: they are what one process can
    serve. A socket is counted before its limit is checked, so simultaneous connects cannot exceed it.
    """

    def __init__(
        self, settings: Settings, counts: Counts | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._counts = counts or Counts()
        self._clock = clock
        self._sockets: Counter[str] = Counter()
        self._accepted: Counter[str | None] = Counter()
        self._new = TokenBucket(settings.connects_per_second, max(1.0, settings.connects_per_second), clock())
        self._new_by_address: dict[str, TokenBucket] = {}

    @property
    def connections(self) -> int:
        """The number of open sockets of this process."""
        return self._sockets.total()

    def accept(self, address: str | None) -> bool:
        """Count a TCP connection, and return whether it may stay. Call `lose` when it ends.

        `address` is None for a connection of a trusted proxy, which has no limit of its own.
        """
        settings = self._settings
        is_full = self._accepted.total() >= TCP_PER_SOCKET * settings.connections
        if address is not None:
            is_full = is_full or self._accepted[address] >= TCP_PER_SOCKET * settings.sockets_per_address
        self._accepted[address] += 1
        return not is_full

    def lose(self, address: str | None) -> None:
        """Stop counting a TCP connection."""
        self._accepted[address] -= 1
        if not self._accepted[address]:
            del self._accepted[address]

    async def is_address_full(self, address: str) -> bool:
        """Return whether this address has more sockets than allowed, the newest included."""
        most = self._settings.sockets_per_address
        if self._sockets[address] > most:
            return True
        others = await self._counts.of_others("address", address)
        return self._sockets[address] + sum(others.values()) > most

    def is_full(self) -> bool:
        """Return whether this process has more sockets than allowed, the newest included."""
        return self.connections > self._settings.connections

    def address_wait_seconds(self, address: str) -> float:
        """Count a new socket in the rate of its address.

        Return 0.0, or the seconds to wait.
        """
        bucket = self._new_by_address.get(address)
        if bucket is None:
            rate = self._settings.connects_per_second_per_address
            bucket = TokenBucket(rate, max(1.0, ADDRESS_BURST_SECONDS * rate), self._clock())
            self._new_by_address[address] = bucket
        return bucket.take(self._clock())

    def wait_seconds(self) -> float:
        """Count a new socket in the rate of this process.

        Return 0.0, or the seconds to wait.
        """
        return self._new.take(self._clock())

    @contextmanager
    def counted(self, address: str) -> Iterator[Callable[[], None]]:
        """Count one socket of `address` while the `with` block runs. The yielded function publishes the count."""
        self._sockets[address] += 1
        is_published = False

        def publish() -> None:
            nonlocal is_published
            is_published = True
            self._counts.publish("address", address, self._sockets[address])

        try:
            yield publish
        finally:
            self._sockets[address] -= 1
            if is_published:
                self._counts.publish("address", address, self._sockets[address])
            if not self._sockets[address]:
                del self._sockets[address]

    def sweep(self) -> None:
        """Delete full buckets, so that addresses that are gone need no memory."""
        now = self._clock()
        for address in [address for address, bucket in self._new_by_address.items() if bucket.is_full(now)]:
            del self._new_by_address[address]
