"""The sockets of one namespace in this process, and their rooms."""

from typing import Any

import socketio

from ..admission import is_closing
from ..closing import CLOSE_REASON
from ..rooms import user_room
from .request import STATE, SocketGone, SocketState


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
        """Put a socket into a room. Raises `SocketGone` when it was disconnected."""
        # the library would make a room for a socket that is gone, and nobody would ever leave it
        if self._manager.eio_sid_from_sid(sid, self._namespace.namespace) is None:
            raise SocketGone
        self._manager.basic_enter_room(sid, self._namespace.namespace, room)

    def leave(self, sid: str, room: str) -> None:
        """Take a socket out of a room. If it is not in this room, do nothing."""
        self._manager.basic_leave_room(sid, self._namespace.namespace, room)

    async def open_of(self, user: str) -> dict[str, SocketState]:
        """Return the states of a user's sockets by their ids. Sockets that are being closed are left out."""
        found, name = {}, self._namespace.namespace
        for sid in [sid for sid, _ in self._manager.get_participants(name, user_room(user))]:
            environ = self._namespace.server.get_environ(sid, name)
            if environ is None or is_closing(environ) or CLOSE_REASON in environ["aiohttp.request"]:
                continue
            state = (await self._namespace.get_session(sid)).get(STATE)
            if state is not None:
                found[sid] = state
        return found

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
