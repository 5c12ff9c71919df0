"""Closes a connection that sends stray packets, which no gateway receives.

These are packets before CONNECT, packets for a namespace that was not joined, and a second CONNECT. python-socketio
does not limit them.
"""

from typing import Any

from socketio import packet

from ..admission import close_transport
from ..close_reasons import CloseReason
from ..observability import Metrics, log
from ..settings import Settings

# the key in the connection's environ, so that the count ends with the connection
STRAYS = f"{__package__}.strays"


def count_strays(sio: Any, settings: Settings, metrics: Metrics) -> None:
    """Count each connection's stray packets, and close it after a few."""
    library, sid_of = sio.eio.handlers["message"], sio.manager.sid_from_eio_sid

    async def check(connection: str, data: Any) -> None:
        environ = sio.environ.get(connection)
        received = sio.packet_class(encoded_packet=data)
        has_joined = sid_of(connection, received.namespace or "/") is not None
        if environ is None or has_joined is not (received.packet_type == packet.CONNECT):
            await library(connection, data)
            return
        environ[STRAYS] = environ.get(STRAYS, 0) + 1
        metrics.count_event("unknown", "invalid", 0.0)
        if environ[STRAYS] >= settings.malformed_frames:
            log.warning("closed", reason="strays")
            close_transport(environ, CloseReason.MALFORMED)

    sio.eio.on("message", check)
