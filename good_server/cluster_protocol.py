"""What the processes of one server share: rate limits, counts, acks, emits.

`cluster/` implements the protocol with Redis. The default is one process, which shares nothing.
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
    """The readiness of a process, and the word that `/readyz` shows."""

    is_ready: bool
    word: str


class Cluster(Protocol):
    """The state that the processes of one server share."""

    rates: RateLimits
    counts: Counts
    acks: IdempotencyCache
    # whether there may be other processes
    is_shared: bool

    def client_manager(self, delivery_manager: type) -> Any:
        """Return the Socket.IO client manager. It extends the class of the delivery path."""

    def publish(self, message: dict[str, Any]) -> None:
        """Send a message to the other processes soon, and do not wait."""

    async def start(self, evict: Evict) -> None:
        """Start before the first client comes. `evict` serves other processes."""

    async def stop(self) -> None:
        """Stop after the last client has left."""

    def health(self) -> Health:
        """Return the readiness of this process."""


class SingleProcess:
    """The cluster of one process, which needs no Redis."""

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
