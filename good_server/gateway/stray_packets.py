"""Stray packets, which no gateway sees. A few close the connection.

They are packets before CONNECT, packets for a namespace that was not joined, and a second CONNECT. The library sets no
limit to them.
"""

from typing import Any

from socketio import packet

from ..admission import close_transport
from ..observability import Metrics, log
from ..settings import Settings

# the key in the connection's environ, so that the count ends with the connection
STRAYS = f"{__package__}.strays"


def count_strays(sio: Any, settings: Settings, metrics: Metrics) -> None:
    """Put a check before the library's reader, which never sees strays."""
    library = sio.eio.handlers["message"]

    async def check(connection: str, data: Any) -> None:
        environ = sio.environ.get(connection)
        if environ is None or not _is_stray(sio, connection, data):
            await library(connection, data)
            return
        environ[STRAYS] = environ.get(STRAYS, 0) + 1
        metrics.count_event("unknown", "invalid", 0.0)
        if environ[STRAYS] >= settings.malformed_frames:
            log.warning("closed", reason="strays")
            close_transport(environ)

    sio.eio.on("message", check)


def _is_stray(sio: Any, connection: str, data: Any) -> bool:
    received = sio.packet_class(encoded_packet=data)
    has_joined = sio.manager.sid_from_eio_sid(connection, received.namespace or "/") is not None
    return has_joined is (received.packet_type == packet.CONNECT)
