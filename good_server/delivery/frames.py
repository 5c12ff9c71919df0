"""Answers for what goes over a WebSocket: a packet as the bytes of one unmasked server frame (RFC 6455, 5.2)."""

from engineio import packet as engine_packet

MESSAGE = str(engine_packet.MESSAGE)
FIN = 0x80
FIN_TEXT = 0x81
FIN_BINARY = 0x82
SHORT = 126
LONG = 1 << 16


def frame(payload: str | bytes) -> bytes:
    """One whole frame: text for a string, binary for bytes. Sent as it is, so it is made once for a whole room."""
    data, kind = (payload, FIN_BINARY) if isinstance(payload, bytes) else (payload.encode(), FIN_TEXT)
    size = len(data)
    if size < SHORT:
        return bytes((kind, size)) + data
    if size < LONG:
        return bytes((kind, 126)) + size.to_bytes(2, "big") + data
    return bytes((kind, 127)) + size.to_bytes(8, "big") + data


def message_frame(encoded: str | bytes) -> bytes:
    """The frame of an encoded Socket.IO packet, or of one of its attachments, inside an Engine.IO message."""
    # spelled out, as the library's packet takes as long as all the rest
    return frame(encoded if isinstance(encoded, bytes) else MESSAGE + encoded)


def control_frame(kind: int, payload: bytes) -> bytes:
    """A close, ping or pong: always short and whole (RFC 6455, 5.5)."""
    return bytes((FIN | kind, len(payload))) + payload
