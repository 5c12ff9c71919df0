"""Protocol for the state that the processes of one server share.

`cluster/` shares rate limits, connection counts, acks and emits through Redis. By default there is only one process,
and nothing is shared.
"""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

from .connection_limits import Counts
from .idempotency import IdempotencyCache
from .rate_limits import RateLimits
from .settings import Settings

# a message asks another process to evict a socket: `{"method": EVICT, "process": …, "namespace": …, "user": …}`
EVICT = "evict"
# evicts the socket of a user, in a namespace, that has been silent longest: `await evict(namespace, user)`
Evict = Callable[[str, str], Awaitable[None]]


class Health(NamedTuple):
    """The readiness of a process, and the word that `/readyz` shows.

    A colon and a detail may follow the word.
    """

    is_ready: bool
    word: str

    def because(self, detail: str) -> "Health":
        """Return a copy whose `word` is followed by a colon and `detail`."""
        return self._replace(word=f"{self.word}: {detail}")


class Cluster(Protocol):
    """Protocol for the state that the processes of one server share."""

    rates: RateLimits
    counts: Counts
    acks: IdempotencyCache
    # whether there may be other processes
    is_shared: bool

    def client_manager(self, delivery_manager: type) -> Any:
        """Create the Socket.IO client manager. Its class is `delivery_manager` or a subclass of it."""

    def publish(self, message: dict[str, Any]) -> None:
        """Queue `message` for the other processes, and return at once."""

    async def start(self, evict: Evict) -> None:
        """Start to share rate limits, connection counts, acks and emits.

        Call this before the first client connects. `evict(namespace, user)` is called when another process asks to
        disconnect a socket of this user.
        """

    async def stop(self) -> None:
        """Stop sharing, after the last client has disconnected."""

    def health(self) -> Health:
        """Return whether this process is ready, and the word for `/readyz`."""


class SingleProcess:
    """Implementation of `Cluster` for one process, without Redis."""

    is_shared = False

    def __init__(self, settings: Settings) -> None:
        self.rates = RateLimits(settings)
        self.counts = Counts()
        self.acks = IdempotencyCache()

    def client_manager(self, delivery_manager: type) -> Any:
        return delivery_manager()

    def publish(self, message: dict[str, Any]) -> None: ...

    async def start(self, evict: Evict) -> None: ...

    async def stop(self) -> None: ...

    def health(self) -> Health:
        return Health(True, "ready")
