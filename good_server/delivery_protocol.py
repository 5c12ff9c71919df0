"""How an emit reaches the sockets of a room.

`delivery/` implements the protocol with one frame per message and a bounded send queue per connection. The default is
the library's own path.
"""

from typing import Any, Protocol

import socketio
from aiohttp import web


class Delivery(Protocol):
    """The path of emits to the sockets of a room."""

    @property
    def manager(self) -> type:
        """The class of the Socket.IO client manager."""

    @property
    def owed_bytes(self) -> int:
        """The bytes that clients have not taken yet, over all connections."""

    def install(self, sio: Any) -> None:
        """Put this path under a Socket.IO server, before it is attached."""

    def flush(self, request: web.Request) -> None:
        """Write all that the connection of this request is owed."""


class StockDelivery:
    """The library's own path, with slower writes and unbounded send queues."""

    manager = socketio.AsyncManager
    owed_bytes = 0

    def install(self, sio: Any) -> None: ...

    def flush(self, request: web.Request) -> None: ...
