"""Interface of the code that delivers a message to a room's sockets.

The folder `delivery/` has an implementation that encodes each message once for all sockets, and gives each connection a
bounded send queue. Another implementation, the class `StockDelivery`, leaves the delivery to python-socketio.
"""

from typing import Any, Protocol

import socketio
from aiohttp import web

from .rooms import named_rooms


class Delivery(Protocol):
    """Interface of objects that deliver messages to the sockets of rooms."""

    @property
    def manager(self) -> type:
        """The class of the client manager that the Socket.IO server must use.

        A client manager stores the rooms of the server, and emits to them.
        """

    @property
    def owed_bytes(self) -> int:
        """The number of bytes that wait to be sent, over all connections."""

    def install(self, sio: Any) -> None:
        """Make the Socket.IO server `sio` deliver its messages through this object.

        Call this before `sio.attach`.
        """

    def handshake(self, request: web.Request) -> None:
        """Check the WebSocket handshake in `request`.

        Raises `HTTPBadRequest` if the handshake is malformed. May raise `ConnectionResetError` if the client has left.
        """

    def flush(self, request: web.Request) -> None:
        """Write all waiting bytes to the connection that this request opened."""


class StockManager(socketio.AsyncManager):  # type: ignore[misc]  # the library ships no types
    """python-socketio's client manager, but it refuses an emit without a room.

    A client manager stores the rooms of a Socket.IO server, and emits to them. python-socketio would send an emit
    without a room to all sockets of the namespace.
    """

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        **kwargs: Any,
    ) -> None:
        """Send an event to rooms. Raises `ValueError` if no room is named."""
        rooms = named_rooms(to or room)
        await super().emit(event, data, namespace, room=rooms, skip_sid=skip_sid, callback=callback, **kwargs)


class StockDelivery:
    """Lets python-socketio deliver the messages to the sockets of rooms.

    This is slower than the implementation in the folder `delivery/`, and the send queues are unbounded.
    """

    manager = StockManager
    owed_bytes = 0

    def install(self, sio: Any) -> None: ...

    def handshake(self, request: web.Request) -> None:
        if not web.WebSocketResponse().can_prepare(request):
            raise web.HTTPBadRequest(text="this is not a WebSocket handshake")

    def flush(self, request: web.Request) -> None: ...
