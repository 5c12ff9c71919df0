"""Interface to the state that the processes of one server share.

The folder `cluster/` has the implementation, which uses Redis. With it, the processes share rate limits, connection
counts, acks of recent requests, and denials (rules that refuse the tokens of a user), and an emit reaches the sockets
of all processes. By default there is only one process, and nothing is shared.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

from .connection_limits import Counts
from .denials import Denials
from .idempotency import IdempotencyCache
from .observability import Metrics, log
from .rate_limits import RateLimits
from .settings import Settings

# a message asks another process to evict a socket: `{"method": EVICT, "process": …, "namespace": …, "user": …}`
EVICT = "evict"
# evicts the socket of a user, in a namespace, that has been silent longest: `await evict(namespace, user)`
Evict = Callable[[str, str], Awaitable[None]]


class OnOrder(NamedTuple):
    """The callbacks that carry out commands from other processes and back ends.

    Such a command changes the rooms of a user's sockets, or disconnects one or all sockets of a user. The callback
    `check_connected` disconnects users whose tokens were refused while this process could not receive commands.
    """

    evict: Evict
    # `await move(order)` and `await disconnect(order)`: the orders are those of `orders/`
    move: Callable[[Any], Awaitable[None]]
    disconnect: Callable[[Any], Awaitable[None]]
    # disconnects the users that were denied while this process received no orders
    check_connected: Callable[[], Awaitable[None]]


def denials_options(
    settings: Settings, metrics: Metrics | None = None, clock: Callable[[], float] = time.time
) -> dict[str, Any]:
    """Return the keyword arguments for the constructor of `Denials`.

    `Denials` stores denials: rules that refuse the tokens of one user. If there are too many rules, `Denials` drops one
    rule. The returned `on_drop` logs this, and counts the dropped rules in `metrics`. `clock` returns the current time
    in seconds since the epoch.
    """

    def note_drop() -> None:
        if metrics is not None:
            metrics.denials_dropped.inc()
        log.warning("a denial was dropped, as there are too many")

    # see `TokenAuth`: a token may live for the leeway longer, and is accepted for the leeway after its expiry
    life_seconds = settings.token_life_seconds + 2 * settings.jwt_leeway_seconds
    return {"life_seconds": life_seconds, "clock": clock, "on_drop": note_drop}


class Health(NamedTuple):
    """The readiness of a process, and the word that `/readyz` answers.

    `word` is, for example, `ready` or `degraded`. `because` adds a colon and a detail to the word.
    """

    is_ready: bool
    word: str

    def because(self, detail: str) -> "Health":
        """Return a copy whose `word` also gives the reason `detail`."""
        return self._replace(word=f"{self.word}: {detail}")


class Cluster(Protocol):
    """Interface to the state that the processes of one server share."""

    rates: RateLimits
    counts: Counts
    acks: IdempotencyCache
    denials: Denials
    # whether there may be other processes
    is_shared: bool

    @property
    def reaches_all(self) -> bool:
        """True when `publish` reaches all other processes."""

    def client_manager(self, delivery_manager: type) -> Any:
        """Create the Socket.IO client manager, which stores rooms and delivers emits.

        Its class is `delivery_manager` or a subclass of it.
        """

    def publish(self, message: dict[str, Any]) -> None:
        """Queue `message` for the other processes, and return at once."""

    async def start(self, on_order: OnOrder) -> None:
        """Start to share state with the other processes.

        Call this before the first client connects. When another process or a back end sends a command, the function in
        `on_order` for this command is called.
        """

    async def stop(self) -> None:
        """Stop sharing state with the other processes. Call this after the last client has disconnected."""

    def health(self) -> Health:
        """Return whether this process is ready, and the word for `/readyz`."""


class SingleProcess:
    """Implementation of `Cluster` for one process, without Redis.

    `Cluster` is the interface to the state that several processes of a server share. This class shares nothing.
    """

    is_shared = False
    reaches_all = True

    def __init__(
        self, settings: Settings, metrics: Metrics | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.rates = RateLimits(settings)
        self.counts = Counts()
        self.acks = IdempotencyCache()
        self.denials = Denials(**denials_options(settings, metrics, clock))

    def client_manager(self, delivery_manager: type) -> Any:
        return delivery_manager()

    def publish(self, message: dict[str, Any]) -> None: ...

    async def start(self, on_order: OnOrder) -> None: ...

    async def stop(self) -> None: ...

    def health(self) -> Health:
        return Health(True, "ready")
