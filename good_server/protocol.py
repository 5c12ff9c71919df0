"""Answers for what a packet may be: the library's parser, hardened.

The library raises on a malformed packet, logs it and goes on as if nothing had come: no ack, no consequence. Here such
a packet becomes an event that no client can name, so that the gateway answers it and counts it like any other.
Passed to the server as `serializer=`, the library's documented place for a packet class.
"""

from typing import Any

import orjson
from socketio import packet

from good_server.events import RESERVED

# Not a string: JSON cannot spell it, so nobody can send it.
MALFORMED = ("malformed",)
# Known by its own name, as a client that sends one tries to run the server's own handlers.
RESERVED_NAME = ("reserved name",)

_CLIENT_TYPES = frozenset({packet.CONNECT, packet.DISCONNECT, packet.EVENT, packet.ACK})


class Json:
    """orjson where the library expects the `json` module; rejects NaN, infinities and deep nesting by itself."""

    @staticmethod
    def dumps(data: Any, **_ignored: Any) -> str:
        return orjson.dumps(data).decode()

    @staticmethod
    def loads(text: str | bytes) -> Any:
        return orjson.loads(text)


class SafePacket(packet.Packet):  # type: ignore[misc]  # the library ships no types
    """A packet that a stranger may have written. This contract has no binary events, so none is taken."""

    json = Json

    def __init__(self, *args: Any, encoded_packet: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if encoded_packet is not None:
            self.attachment_count = self.decode(encoded_packet)

    def decode(self, encoded_packet: Any) -> int:
        """Reads a packet that came in; never raises. Returns the attachments to wait for: always none."""
        try:
            if not isinstance(encoded_packet, str):
                raise ValueError("binary")
            super().decode(encoded_packet)
            problem = self._problem()
        except (ValueError, TypeError, IndexError, RecursionError):
            problem = MALFORMED
        if problem is not None:
            self.packet_type = packet.EVENT
            self.data = [problem]
        return 0

    def _problem(self) -> tuple[str] | None:
        if self.packet_type not in _CLIENT_TYPES:
            return MALFORMED
        if self.packet_type in (packet.CONNECT, packet.DISCONNECT):
            return None
        # the library keeps its own counter under ack id 0
        is_list = isinstance(self.data, list) and (self.id != 0 or self.packet_type == packet.EVENT)
        if not is_list or (self.packet_type == packet.ACK and self.id is None):
            return MALFORMED
        if self.packet_type == packet.ACK:
            return None
        name = self.data[0] if self.data else None
        if not isinstance(name, str):
            return MALFORMED
        return RESERVED_NAME if name in RESERVED else None
