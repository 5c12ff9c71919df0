"""Answers for what a handler is given and how an event is declared: data, so that one line shows all its guards."""

import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from .. import events
from ..auth import TokenAuth
from ..limits import Counts, RateLimits
from ..observability import Metrics
from ..roles import Identity, Role
from ..rooms import Address
from ..settings import Settings

if TYPE_CHECKING:
    from ..gateway.gateway import Gateway

ANYONE = frozenset(Role)


@dataclass(slots=True)
class SocketState:
    """What is known of one socket. It lives in the socket's Socket.IO session and dies with it."""

    identity: Identity
    last_heard: float
    was_warned: bool = False
    refused_in_a_row: int = 0
    malformed: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What a handler is given: who asks, when, and what it may do about it."""

    gateway: "Gateway"
    sid: str
    identity: Identity

    @property
    def at(self) -> int:
        """Now, in milliseconds since the epoch."""
        return int(self.gateway.guards.clock() * 1000)

    async def emit(self, event: str, message: events.Message, *, to: Sequence[str], also_to_me: bool = True) -> None:
        """Sends to every socket in the rooms `to`, once each; `also_to_me=False` leaves the asking socket out."""
        await self.gateway.send(event, message, to=to, skip=None if also_to_me else self.sid)

    def address(self, *rooms: str) -> Address:
        """These rooms, for what is sent to them later: by then the asking socket may be long gone."""
        return Address(self.gateway.namespace, rooms)

    def rooms(self) -> set[str]:
        """The rooms that the asking socket is in."""
        return set(self.gateway.server.rooms(self.sid, namespace=self.gateway.namespace))

    async def join(self, room: str) -> None:
        """Puts the asking socket into a room."""
        await self.gateway.enter_room(self.sid, room)

    async def leave(self, room: str) -> None:
        """Takes the asking socket out of a room."""
        await self.gateway.leave_room(self.sid, room)

    async def become(self, identity: Identity) -> None:
        """Replaces the socket's identity, and with it what it may do from now on."""
        state = await self.gateway.state_of(self.sid)
        state.identity = identity
        state.was_warned = False


Handler = Callable[[Request, Any], Coroutine[Any, Any, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Route:
    """One event and all its guards, readable in one line."""

    event: str
    payload: type[BaseModel]
    handler: Handler
    roles: frozenset[Role] = ANYONE
    rate: str | None = None
    after_expiry: bool = False


@dataclass(frozen=True, slots=True)
class Guards:
    """What a gateway checks with; shared by all gateways of a server."""

    settings: Settings
    auth: TokenAuth
    rates: RateLimits
    metrics: Metrics
    clock: Callable[[], float] = time.time
    elsewhere: Counts = field(default_factory=Counts)
