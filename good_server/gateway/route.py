"""A route: an event with its handler, allowed roles and rate limit."""

import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from ..auth import TokenAuth
from ..background import Background
from ..cluster_protocol import Cluster
from ..events import Answer
from ..observability import Metrics
from ..rate_limits import RateLimits
from ..roles import Role
from ..settings import Settings
from .request import Request

ANYONE = frozenset(Role)
Handler = Callable[[Request, Any], Coroutine[Any, Any, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Route:
    """One event with its handler and checks.

    `payload` is the model of the client's data, `answer` the model of the ack's `data`. The command `contract` prints
    both. `rate` names one more rate limit (`chat` or `tracking`), besides the limit for all events.
    """

    event: str
    payload: type[BaseModel]
    handler: Handler
    roles: frozenset[Role] = ANYONE
    rate: str | None = None
    after_expiry: bool = False
    answer: type[Answer] = Answer


@dataclass(frozen=True, slots=True)
class Guards:
    """The objects that gateways use for their checks, shared by all gateways."""

    settings: Settings
    auth: TokenAuth
    cluster: Cluster
    metrics: Metrics
    clock: Callable[[], float] = time.time
    background: Background = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "background", Background(self.metrics))

    @property
    def rates(self) -> RateLimits:
        """The rate limits on the events of users."""
        return self.cluster.rates
