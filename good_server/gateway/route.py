"""Routes: an event and all its guards in one line."""

import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ..auth import TokenAuth
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
    """One event with its guards.

    `payload` is the model of what comes in, `answer` the model of the ack's `data`; the exported contract is made from
    both. `rate` names a rate limit beside that of all events.
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
    """What a gateway checks with; all gateways of a server share it."""

    settings: Settings
    auth: TokenAuth
    cluster: Cluster
    metrics: Metrics
    clock: Callable[[], float] = time.time

    @property
    def rates(self) -> RateLimits:
        """The rate limits of users."""
        return self.cluster.rates
