"""Builds the WebSocket frames that the server sends, unmasked (RFC 6455, 5.2)."""

from typing import Any

import orjson
from engineio import packet as engine_packet
from socketio import packet

MESSAGE = str(engine_packet.MESSAGE)
ACK = f"{MESSAGE}{packet.ACK}"
FIN_TEXT = 0x81
FIN_BINARY = 0x82


def frame(payload: str | bytes) -> bytes:
    """Return a WebSocket frame: text for a string, binary for bytes.

    The same frame can be sent to all sockets of a room.
    """
    data, kind = (payload, FIN_BINARY) if isinstance(payload, bytes) else (payload.encode(), FIN_TEXT)
    size = len(data)
    if size < 126:
        return bytes((kind, size)) + data
    if size < 1 << 16:
        return bytes((kind, 126)) + size.to_bytes(2, "big") + data
    return bytes((kind, 127)) + size.to_bytes(8, "big") + data


def message_frame(encoded: str | bytes) -> bytes:
    """Return the WebSocket frame of a Socket.IO packet.

    If `encoded` is a string, it is the encoded packet. If it is bytes, it is a binary attachment of a packet.
    """
    # not with the library's packet class: that takes as long as all the rest of an emit
    return frame(encoded if isinstance(encoded, bytes) else MESSAGE + encoded)


def ack_frame(namespace: str, number: int, values: list[Any]) -> bytes:
    """Return the WebSocket frame of an ack.

    `number` is the ack id that the client sent; `values` are the ack's arguments.
    """
    place = "" if namespace == "/" else f"{namespace},"
    return frame(f"{ACK}{place}{number}{orjson.dumps(values).decode()}")
