"""Closes a connection that sends too many stray packets.

A stray packet comes before CONNECT, is for a namespace that was not joined, or is a second CONNECT. python-socketio
does not limit such packets.
"""

from typing import Any

from socketio import packet

from ..admission import ADDRESS, close_transport
from ..closing import CLOSE_REASON
from ..observability import Metrics, log
from ..packet_budget import charge
from ..settings import Settings

# keys in the connection's environ, so that they end with the connection
STRAYS = f"{__package__}.strays"
# set when a connect was refused: the connection is about to end, and nothing more is read from it
REFUSED = f"{__package__}.refused"


def count_strays(sio: Any, settings: Settings, metrics: Metrics) -> None:
    """Count the stray packets of each connection. Close a connection after `settings.malformed_frames` of them.

    A stray packet comes before CONNECT, is for a namespace that was not joined, or is a second CONNECT.
    """
    library, sid_of = sio.eio.handlers["message"], sio.manager.sid_from_eio_sid

    async def check(connection: str, data: Any) -> None:
        environ = sio.environ.get(connection)
        if environ is None or REFUSED in environ:
            return
        received = sio.packet_class(encoded_packet=data)
        if received.packet_type in (packet.ACK, packet.DISCONNECT):
            _charge(environ)
        has_joined = sid_of(connection, received.namespace or "/") is not None
        if has_joined is not (received.packet_type == packet.CONNECT):
            await library(connection, data)
            return
        environ[STRAYS] = environ.get(STRAYS, 0) + 1
        metrics.count_event("unknown", "invalid", 0.0)
        if environ[STRAYS] >= settings.malformed_frames:
            _close(environ, "malformed")

    sio.eio.on("message", check)


def _charge(environ: dict[str, Any]) -> None:
    # the server asks for no acks, so each one is unexpected; a client that left may join again, which costs a check
    if not charge(environ["aiohttp.request"]):
        _close(environ, "flood")


def _close(environ: dict[str, Any], reason: str) -> None:
    request = environ["aiohttp.request"]
    if CLOSE_REASON not in request:
        log.warning("closed", reason=reason, address=request[ADDRESS])
        close_transport(environ, reason)
