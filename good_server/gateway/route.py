"""A route: an event with its handler, allowed roles and rate limit."""

import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from ..authenticator import ManagedAuthenticator
from ..background import Background
from ..cluster_protocol import Cluster
from ..errors import Refusal
from ..events import Answer, Message
from ..observability import Metrics, log
from ..rate_limits import RateLimits
from ..roles import Role
from ..rooms import Entitlements
from ..settings import Settings
from .request import Request

ANYONE = frozenset(Role)
# `on_error(error, user=…, event=…, id=…)`: the user is None before the token is verified; the log has the same id
OnError = Callable[..., None]
Handler = Callable[[Request, Any], Coroutine[Any, Any, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Route:
    """One event with its handler and checks.

    `payload` is the model of the client's data, `answer` the model of the ack's `data`. The command `contract` prints
    both. `rate` names a rate limit of the product, such as `chat`; the limit for all events applies, too. With
    `after_expiry` the event is also handled when the token has expired. `sends` are classes of messages that the
    handler sends, and that are not in the module `events`. The command `contract` prints these classes, too.
    """

    event: str
    payload: type[BaseModel]
    handler: Handler
    roles: frozenset[Role] = ANYONE
    rate: str | None = None
    after_expiry: bool = False
    answer: type[Answer] = Answer
    sends: tuple[type[Message], ...] = ()


@dataclass(frozen=True, slots=True)
class Guards:
    """The objects that all gateways share, and use for their checks.

    A gateway is the object that handles one namespace.
    """

    settings: Settings
    auth: ManagedAuthenticator
    cluster: Cluster
    metrics: Metrics
    clock: Callable[[], float] = time.time
    on_error: OnError | None = None
    # asked for the rooms of a user at every connect, if it is a `RoomsAtConnect`
    entitlements: Entitlements | None = None
    background: Background = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "background", Background(self.metrics))

    @property
    def rates(self) -> RateLimits:
        """The rate limits on the events of users."""
        return self.cluster.rates

    def report(self, outcome: Any, *, user: str | None, event: str) -> None:
        """Pass the error that caused a refusal to the hook `on_error`.

        `outcome` is the result of a connect, event or disconnect. A refusal with an `id` was caused by an
        unexpected error, such as an error in a handler. For any other `outcome`, or without an `on_error`, this method
        does nothing. If `on_error` itself raises an error, this error is logged. `user` is None before the token is
        verified.
        """
        if self.on_error is None or not isinstance(outcome, Refusal) or outcome.id is None:
            return
        try:
            self.on_error(outcome.__cause__, user=user, event=event, id=outcome.id)
        except Exception as failure:  # noqa: BLE001 - a broken error tracker must not cost the client its answer
            log.error("on_error failed", id=outcome.id, exc_info=failure)
