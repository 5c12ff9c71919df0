"""Packet parser of python-socketio, made safe against malformed packets.

python-socketio only logs a malformed packet. This parser turns such a packet into an event with a name that no client
can send. So the server answers and counts the packet like any other event.
"""

import json
from typing import Any

import orjson
from socketio import packet

from .events import RESERVED

# not a string, so no client can send it
MALFORMED = ("malformed",)
# readable, but the contract has no binary events
BINARY = ("binary",)
UNREADABLE = (MALFORMED, BINARY)
# an event of its own: a client that sends a reserved name tries to run handlers of the server
RESERVED_NAME = ("reserved name",)

# python-engineio turns the message `null` into None, which is no packet
NOTHING = object()
EVENT = str(packet.EVENT)
BINARY_TYPES = (packet.BINARY_EVENT, packet.BINARY_ACK)
# the library allows ids of up to a hundred digits; this many fit a machine word
PLAIN_ID_DIGITS = 18


class Json:
    """Gives orjson the interface of the module `json`. orjson rejects NaN, infinities and deep nesting.

    python-socketio and python-engineio both need this interface. python-engineio also parses messages that are not
    Socket.IO packets, and expects a `ValueError` for a malformed message.
    """

    @staticmethod
    def dumps(data: Any, **_ignored: Any) -> str:
        return orjson.dumps(data).decode()

    @staticmethod
    def loads(text: str | bytes) -> Any:
        return orjson.loads(text)


class SafePacket(packet.Packet):  # type: ignore[misc]  # the library ships no types
    """A Socket.IO packet. Binary packets from clients are refused, because no event of this server is binary."""

    json = Json

    def __init__(
        self,
        packet_type: int = packet.EVENT,
        data: Any = None,
        namespace: str | None = None,
        id: int | None = None,
        binary: bool | None = None,
        encoded_packet: Any = NOTHING,
    ) -> None:
        if encoded_packet is NOTHING:
            super().__init__(packet_type, data, namespace, id, binary)
            return
        self.data: list[Any] = []
        self.namespace: str | None = None
        self.id: int | None = None
        self.attachments: list[bytes] = []
        self.attachment_count = self.decode(encoded_packet)

    def decode(self, encoded_packet: Any) -> int:
        """Parse a packet. A malformed packet raises no error: it becomes an event that the server refuses.

        Returns the number of binary attachments that follow, which is always 0.
        """
        problem: tuple[str] | None
        named: tuple[str, ...] = ()
        try:
            if isinstance(encoded_packet, bytes | bytearray):
                self.packet_type = packet.EVENT
                self.data = [BINARY]
                return 0
            if not isinstance(encoded_packet, str):
                raise ValueError("JSON without a packet type")
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
        """Parse an event packet like `2[...]` or `217[...]`, and return True.

        For any other packet, return False, and leave the packet to python-socketio's parser.
        """
        start = text.find("[")
        number = text[1:start]
        is_id = not number or (number.isascii() and number.isdigit() and len(number) <= PLAIN_ID_DIGITS)
        if start < 1 or text[0] != EVENT or not is_id:
            return False
        self.packet_type = packet.EVENT
        self.id = int(number) if number else None
        self.data = orjson.loads(text[start:])
        return True

    def _problem(self) -> tuple[str] | None:
        if self.packet_type in (packet.CONNECT, packet.DISCONNECT):
            return None
        if self.packet_type == packet.ACK:
            # the library keeps a counter of its own under ack id 0
            return None if isinstance(self.data, list) and self.id else MALFORMED
        if self.packet_type in BINARY_TYPES:
            return BINARY
        is_event = self.packet_type == packet.EVENT and isinstance(self.data, list) and self.data
        if not is_event or not isinstance(self.data[0], str):
            return MALFORMED
        return RESERVED_NAME if self.data[0] in RESERVED else None


def _unreadable(text: Any) -> tuple[str, ...]:
    """Return the event's name and the payload key whose value orjson rejects.

    Such a value (NaN, infinity, lone surrogate) is more often a bug than an attack, so the refusal names the key.
    Return `()` if there is no such key.
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
