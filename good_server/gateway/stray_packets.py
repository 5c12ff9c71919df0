"""Answers for packets that belong to no conversation: a client gets a few, an attack no more.

They are those before CONNECT, those for a namespace that was not joined, and a CONNECT where one was answered already.
The library ignores the first two for ever, and answers the third with an error that says nothing.
"""

from typing import Any

from socketio import packet

from .. import transport
from ..observability import Metrics, log
from ..settings import Settings

# in the connection's environ, so that it ends with the connection
STRAYS = "good_server.strays"


def watch(sio: Any, settings: Settings, metrics: Metrics) -> None:
    """Puts the judge before the library's own reader of messages; what is a stray goes no further."""
    library = sio.eio.handlers["message"]

    async def judge(connection: str, data: Any) -> None:
        environ = sio.environ.get(connection)
        if environ is None or not _is_stray(sio, connection, data):
            await library(connection, data)
            return
        environ[STRAYS] = environ.get(STRAYS, 0) + 1
        metrics.count_event("unknown", "invalid", 0.0)
        if environ[STRAYS] >= settings.malformed_frames:
            log.warning("closed", reason="strays")
            transport.close_transport(environ)

    sio.eio.on("message", judge)


def _is_stray(sio: Any, connection: str, data: Any) -> bool:
    received = sio.packet_class(encoded_packet=data)
    has_joined = sio.manager.sid_from_eio_sid(connection, received.namespace or "/") is not None
    return has_joined is (received.packet_type == packet.CONNECT)
