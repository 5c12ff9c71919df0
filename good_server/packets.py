"""Answers for what a packet may be: the library's parser, hardened.

The library raises on a malformed packet, logs it and goes on as if nothing had come: no ack, no consequence. Here such
a packet becomes an event that no client can name, so that the gateway answers it and counts it like any other.
Passed to the server as `serializer=`, the library's documented place for a packet class.
"""

import json
from typing import Any

import orjson
from socketio import packet

from .events import RESERVED

# Not a string: JSON cannot spell it, so nobody can send it.
MALFORMED = ("malformed",)
# Known by its own name, as a client that sends one tries to run the server's own handlers.
RESERVED_NAME = ("reserved name",)

EVENT = str(packet.EVENT)
# an id of up to a hundred digits is allowed; this many fit a machine word
PLAIN_ID_DIGITS = 18
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

    def __init__(
        self,
        packet_type: int = packet.EVENT,
        data: Any = None,
        namespace: str | None = None,
        id: int | None = None,
        binary: bool | None = None,
        encoded_packet: Any = None,
    ) -> None:
        if encoded_packet is None:
            super().__init__(packet_type, data, namespace, id, binary)
            return
        self.namespace: str | None = None
        self.id: int | None = None
        self.attachments: list[bytes] = []
        self.attachment_count = self.decode(encoded_packet)

    def decode(self, encoded_packet: Any) -> int:
        """Reads a packet that came in; never raises. Returns the attachments to wait for: always none."""
        named: tuple[str, ...] = ()
        try:
            if not isinstance(encoded_packet, str):
                raise ValueError("binary")
            if not self._is_plain_event(encoded_packet):
                super().decode(encoded_packet)
            problem = self._problem()
        except (ValueError, TypeError, IndexError, RecursionError):
            problem, named = MALFORMED, _unreadable(encoded_packet)
        if problem is not None:
            self.packet_type = packet.EVENT
            self.data = [problem, *named]
        return 0

    def _is_plain_event(self, text: str) -> bool:
        """Reads `2[...]` and `217[...]`, nearly all that ever comes; anything else is left to the library."""
        start = text.find("[")
        number = text[1:start]
        if start < 1 or text[0] != EVENT or not (not number or (number.isascii() and number.isdigit())):
            return False
        if len(number) > PLAIN_ID_DIGITS:
            return False
        self.packet_type = packet.EVENT
        self.id = int(number) if number else None
        self.data = orjson.loads(text[start:])
        return True

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


def _unreadable(text: Any) -> tuple[str, ...]:
    """The event's name and the payload's key under which is what Python reads as JSON and orjson does not, or nothing.

    That is a NaN, an infinity or a lone surrogate: somebody's bug more often than an attack, so they are told where.
    """
    try:
        name, payload = json.loads(text[text.index("[") :])
        refused = next(key for key, value in payload.items() if not _is_json(value))
    except (ValueError, TypeError, AttributeError, RecursionError, StopIteration):
        return ()
    return (name, refused) if isinstance(name, str) else ()


def _is_json(value: Any) -> bool:
    try:
        orjson.loads(json.dumps(value))
    except orjson.JSONDecodeError:
        return False
    return True
