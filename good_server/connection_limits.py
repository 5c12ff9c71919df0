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
    """Interface to the connection counts of the other server processes.

    This class itself is used if there is only one process: it stores nothing, and returns no counts. The subclass
    `ClusterCounts` implements the methods with Redis. The parameter `kind` of the methods is `address` or `user`, and
    `name` is one address or one user.
    """

    async def of_others(self, kind: str, name: str, *, own: int | None = None) -> dict[str, int]:
        """Return the other processes' connection counts for `name`, by process name.

        `kind` is `address` or `user`; `name` is one address or one user. If `own` is given, it is first stored as the
        count of this process. So if two processes call this at the same time, at least one of them sees the new count
        of the other process. Without Redis, return an empty dict.
        """
        return {}

    def publish(self, kind: str, name: str, count: int) -> None:
        """Send this process's connection count for `name` to the other processes.

        `kind` is `address` or `user`; `name` is one address or one user. Without Redis, do nothing.
        """


class ConnectionLimits:
    """The limits on connections: in total, per address and per second.

    The number of sockets per address is limited over all processes together. Each other limit is for one process alone:
    it protects this process from overload. A socket is counted before its limit is checked, so simultaneous connects
    cannot exceed the limit.
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
        """Count a TCP connection, and return whether the limits allow it.

        Call `lose` when the connection ends, also if the limits do not allow it. `address` is None for a connection
        from a trusted proxy: the limit per address does not apply to a proxy.
        """
        settings = self._settings
        is_full = self._accepted.total() >= TCP_PER_SOCKET * settings.connections
        if address is not None:
            is_full = is_full or self._accepted[address] >= TCP_PER_SOCKET * settings.sockets_per_address
        self._accepted[address] += 1
        return not is_full

    def lose(self, address: str | None) -> None:
        """Stop counting a TCP connection that has ended. `address` is the same as in the call of `accept`."""
        self._accepted[address] -= 1
        if not self._accepted[address]:
            del self._accepted[address]

    async def is_address_full(self, address: str) -> bool:
        """Return whether `address` has more sockets than allowed, in all processes together.

        The caller has already counted the new socket, see `counted`.
        """
        most = self._settings.sockets_per_address
        if self._sockets[address] > most:
            return True
        others = await self._counts.of_others("address", address)
        return self._sockets[address] + sum(others.values()) > most

    def is_full(self) -> bool:
        """Return whether this process has more sockets than allowed.

        The caller has already counted the new socket, see `counted`.
        """
        return self.connections > self._settings.connections

    def address_wait_seconds(self, address: str) -> float:
        """Apply the limit on connects per second of one `address`.

        If the limit allows the socket, count the socket and return 0.0. Otherwise return the seconds until the limit
        allows a new socket.
        """
        bucket = self._new_by_address.get(address)
        if bucket is None:
            rate = self._settings.connects_per_second_per_address
            bucket = TokenBucket(rate, max(1.0, ADDRESS_BURST_SECONDS * rate), self._clock())
            self._new_by_address[address] = bucket
        return bucket.take(self._clock())

    def wait_seconds(self) -> float:
        """Apply this process's limit on connects per second to a new socket.

        If the limit allows the socket, count the socket and return 0.0. Otherwise return the seconds until the limit
        allows a new socket.
        """
        return self._new.take(self._clock())

    @contextmanager
    def counted(self, address: str) -> Iterator[Callable[[], None]]:
        """Count one socket of `address` while the `with` block runs.

        Yield a function that sends the address's number of sockets to the other processes. If the block calls this
        function, the number without this socket is sent at the end of the block.
        """
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
        """Delete full token buckets, so that inactive addresses need no memory."""
        now = self._clock()
        for address in [address for address, bucket in self._new_by_address.items() if bucket.is_full(now)]:
            del self._new_by_address[address]
