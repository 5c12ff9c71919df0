"""The `Request` that handlers receive, with the event's verified sender."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import web

from ..events import Message
from ..roles import Identity
from ..rooms import Address
from .abuse import Abuse

# the key of a socket's state in its Socket.IO session
STATE = "state"


class SocketGone(Exception):
    """The socket was disconnected before its connect or event was fully handled. Nobody receives the ack."""


@dataclass(slots=True)
class SocketState:
    """What the server knows about one socket, such as its identity.

    This object is stored in the socket's Socket.IO session, and is deleted with the session.
    """

    identity: Identity
    last_heard: float
    # the request that opened the connection
    http: web.Request
    # the timer of `SessionExpiry`
    timer: asyncio.TimerHandle | None = None
    was_warned: bool = False
    # the limit on the user's sockets counts it
    is_accepted: bool = False
    # nothing is handled any more
    is_closing: bool = False
    # most sockets never do anything wrong
    abuse: Abuse | None = None


class Actions(NamedTuple):
    """The functions of a gateway that a `Request` calls.

    A gateway is the object that handles one namespace. All requests of a gateway share one `Actions` object.
    """

    namespace: str
    clock: Callable[[], float]
    # `await send(event, message, to=rooms, skip=sid)`
    send: Callable[..., Awaitable[None]]
    rooms_of: Callable[[str], set[str]]
    enter_room: Callable[[str, str], None]
    leave_room: Callable[[str, str], None]
    state_of: Callable[[str], Awaitable[SocketState]]
    # starts the timer of a socket's expiry again
    watch_expiry: Callable[[str, SocketState], None]
    # raises `Unauthorized` if a back end has denied this identity
    check_denials: Callable[[Identity], Awaitable[None]]
    # `await entitled_rooms(identity, besides)`
    entitled_rooms: Callable[[Identity, Set[str]], Awaitable[tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Request:
    """A connect, event or disconnect of one socket.

    Handlers receive this object, and use it to send messages, and to put the socket into rooms.
    """

    actions: Actions
    sid: str
    identity: Identity

    @property
    def at(self) -> int:
        """The current time, in milliseconds since the epoch."""
        return int(self.actions.clock() * 1000)

    async def emit(self, event: str, message: Message, *, to: Sequence[str], also_to_me: bool = True) -> None:
        """Send a message once to each socket in the rooms `to`.

        `also_to_me=False` leaves out the socket of this request.
        """
        await self.actions.send(event, message, to=to, skip=None if also_to_me else self.sid)

    def address(self, *rooms: str) -> Address:
        """Return an `Address`: the namespace of this socket, and `rooms`.

        A message can be sent to an address even after this socket has closed.
        """
        return Address(self.actions.namespace, rooms)

    def rooms(self) -> set[str]:
        """Return the rooms that this socket is in."""
        return self.actions.rooms_of(self.sid)

    async def join(self, room: str) -> None:
        """Put this socket into a room. Raises `SocketGone` if the socket was disconnected meanwhile."""
        self.actions.enter_room(self.sid, room)

    async def leave(self, room: str) -> None:
        """Take this socket out of a room."""
        self.actions.leave_room(self.sid, room)

    async def check_denials(self, identity: Identity) -> None:
        """Raise `Unauthorized` if a back end has forbidden this identity's token.

        A back end can tell the server to refuse tokens of a user. Call this method before `become`, because `become`
        does not check this.
        """
        await self.actions.check_denials(identity)

    async def entitled_rooms(self, identity: Identity, *, besides: Set[str]) -> tuple[str, ...]:
        """Return the topic rooms that a socket with this identity joins automatically.

        A topic room is a room that clients may join and leave. The method `rooms_of` of your class for `Entitlements`
        names these rooms. `besides` are topic rooms that the socket is already in, or is about to join. A socket can be
        in at most `SERVER_ROOMS_PER_SOCKET` topic rooms: further rooms are left out. Raises `TemporarilyUnavailable` if
        the rooms are not known now.
        """
        return await self.actions.entitled_rooms(identity, besides)

    async def http(self) -> web.Request:
        """Return the HTTP request that opened this connection.

        Raises `SocketGone` if the socket was disconnected meanwhile.
        """
        return (await self._state()).http

    async def become(self, identity: Identity) -> None:
        """Replace the identity of this socket for all later events.

        Raises `SocketGone` if the socket was disconnected meanwhile.
        """
        state = await self._state()
        # the same token again must not cause the same warning again
        state.was_warned = state.was_warned and not _expires_later(identity, state.identity)
        state.identity = identity
        self.actions.watch_expiry(self.sid, state)

    async def _state(self) -> SocketState:
        try:
            return await self.actions.state_of(self.sid)
        except KeyError:
            raise SocketGone from None


def _expires_later(new: Identity, old: Identity) -> bool:
    return old.expires_at is not None and (new.expires_at is None or new.expires_at > old.expires_at)
