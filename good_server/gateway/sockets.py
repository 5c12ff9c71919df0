"""The sockets of one namespace in this process, and their rooms."""

import asyncio
from typing import Any

import socketio

from ..admission import address_in, begin_handshake, close_transport, is_closing
from ..close_reasons import CloseReason, note_reason
from ..closing import CLOSE_REASON
from ..observability import log
from ..rooms import user_room
from .request import STATE, SocketGone, SocketState

# a standard client closes the connection itself when it gets the DISCONNECT packet, and stays away
STAY_AWAY_SECONDS = 0.2
# the server disconnected these with DISCONNECT: if only the transport closed, the client would come back
DISCONNECTED = frozenset({CloseReason.EVICTED, CloseReason.REVOKED})


class Sockets:
    """Finds the sockets of a user, and puts sockets into rooms."""

    def __init__(self, namespace: socketio.AsyncNamespace) -> None:
        # its server and manager are known only after it was registered
        self._namespace = namespace

    @property
    def _manager(self) -> Any:
        return self._namespace.server.manager

    def rooms_of(self, sid: str) -> set[str]:
        """Return the rooms of a socket."""
        return set(self._manager.get_rooms(sid, self._namespace.namespace))

    def join(self, sid: str, room: str) -> None:
        """Put a socket into a room. Raises `SocketGone` if the socket was disconnected."""
        # the library would make a room for a socket that is gone, and nobody would ever leave it
        if self._manager.eio_sid_from_sid(sid, self._namespace.namespace) is None:
            raise SocketGone
        self._manager.basic_enter_room(sid, self._namespace.namespace, room)

    def leave(self, sid: str, room: str) -> None:
        """Take a socket out of a room. If it is not in this room, do nothing."""
        self._manager.basic_leave_room(sid, self._namespace.namespace, room)

    async def open_of(self, user: str) -> dict[str, SocketState]:
        """Return the state of each socket of a user, by socket id. Sockets that are being closed are left out."""
        found, name = {}, self._namespace.namespace
        for sid in [sid for sid, _ in self._manager.get_participants(name, user_room(user))]:
            environ = self._namespace.server.get_environ(sid, name)
            if environ is None or is_closing(environ) or CLOSE_REASON in environ["aiohttp.request"]:
                continue
            state = (await self._namespace.get_session(sid)).get(STATE)
            if state is not None:
                found[sid] = state
        return found

    async def all(self) -> list[tuple[str, SocketState]]:
        """Return the ids and states of all sockets whose token is verified."""
        sids = [sid for sid, _ in self._manager.get_participants(self._namespace.namespace, None)]
        states = [(sid, (await self._namespace.get_session(sid)).get(STATE)) for sid in sids]
        return [(sid, state) for sid, state in states if state is not None]

    async def disconnect(self, sid: str, reason: CloseReason) -> None:
        """Disconnect a socket so that its client does not reconnect.

        The client receives a Socket.IO DISCONNECT, after which a standard client does not reconnect. `reason` is
        logged: `EVICTED` (a newer socket of the user replaces it) or `REVOKED` (a back end disconnects the user). If
        the socket is already disconnected, this method does nothing.
        """
        environ = self._namespace.server.get_environ(sid, self._namespace.namespace)
        if environ is None:
            return
        note_reason(environ["aiohttp.request"], reason)
        state = (await self._namespace.get_session(sid)).get(STATE)
        user = state.identity.user if state is not None else None
        log.info(reason, namespace=self._namespace.namespace, user=user, address=address_in(environ))
        await self._namespace.server.disconnect(sid, self._namespace.namespace, ignore_queue=True)

    def end(self, sid: str, environ: dict[str, Any], reason: str, handshake_seconds: float) -> None:
        """Close a disconnected socket's connection, unless the client may join again.

        `reason` says why the socket was disconnected. If the client has left this namespace itself, the connection
        stays open, and the client may join it again. If the client is then in no namespace, the connection closes
        unless the client joins a namespace within `handshake_seconds`.
        """
        if reason in DISCONNECTED:
            asyncio.get_running_loop().call_later(STAY_AWAY_SECONDS, close_transport, environ)
        elif not self.may_return(sid):
            close_transport(environ, reason)
        elif not self.is_elsewhere(sid):
            # a client that left its last namespace has a moment to join again
            begin_handshake(environ, handshake_seconds)

    def may_return(self, sid: str) -> bool:
        """Return whether the client of a socket may join the namespace again.

        The client may join again if it has left with DISCONNECT and its connection is still open.
        """
        server = self._namespace.server
        connection = server.eio.sockets.get(self._manager.eio_sid_from_sid(sid, self._namespace.namespace))
        if connection is None or connection.closing or connection.closed:
            return False
        environ = server.get_environ(sid, self._namespace.namespace)
        return not is_closing(environ) and CLOSE_REASON not in environ["aiohttp.request"]

    def is_elsewhere(self, sid: str) -> bool:
        """Return whether the connection of a socket has also joined another namespace."""
        name = self._namespace.namespace
        connection = self._manager.eio_sid_from_sid(sid, name)
        others = (other for other in self._manager.get_namespaces() if other != name)
        return any(self._manager.sid_from_eio_sid(connection, other) for other in others)
