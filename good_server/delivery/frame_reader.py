"""Reader that turns arriving WebSocket bytes into messages (RFC 6455, 5)."""

from typing import Any, NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
NORMAL, PROTOCOL_ERROR, NOT_UTF8, TOO_BIG = 1000, 1002, 1007, 1009
FIN = 0x80
MASKED = 0x80
CONTROL_BYTES = 125
KEY_BYTES = 4


class Message(NamedTuple):
    """One WebSocket message. `data` is a string for the kind TEXT, else bytes."""

    kind: int
    data: Any


class FrameError(Exception):
    """The peer sent a wrong WebSocket frame. `code` is the close code for the answer."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class FrameReader:
    """Takes the bytes of a connection and returns its messages in order.

    A frame's length is checked before its payload arrives, so a message over `max_bytes` is never stored.
    """

    __slots__ = ("_at", "_buffer", "_kind", "_max_bytes", "_parts")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer: bytes | bytearray = b""
        self._at = 0
        # the kind and the bytes so far of a message that comes in fragments
        self._kind = CONTINUATION
        self._parts: bytearray | None = None

    @property
    def waiting_bytes(self) -> int:
        """The number of bytes that arrived and were not read yet."""
        return len(self._buffer) - self._at

    def feed(self, data: bytes) -> None:
        """Add the bytes that arrived from the peer."""
        if self._at == len(self._buffer):
            # the usual case: a frame arrives whole, and is read without a copy
            self._buffer, self._at = data, 0
            return
        rest = self._buffer if isinstance(self._buffer, bytearray) else bytearray(self._buffer)
        # cheap: a bytearray only moves its start
        del rest[: self._at]
        rest += data
        self._buffer, self._at = rest, 0

    def next(self) -> Message | None:
        """Return the next complete message, or None. Raise `FrameError` for a wrong frame."""
        while (frame := self._frame()) is not None:
            head, payload = frame
            kind = head & 0x0F
            if kind & 0x8 or (head & FIN and kind and self._parts is None):
                return _message(kind, payload)
            if self._add(head, payload):
                whole, self._parts = self._parts, None
                return _message(self._kind, bytes(whole or b""))
        return None

    def _add(self, head: int, payload: bytes) -> bool:
        """Add a fragment of a message. Return whether it was the last one."""
        kind = head & 0x0F
        # only the first fragment names the kind of the message
        if (kind == CONTINUATION) != (self._parts is not None):
            raise FrameError(PROTOCOL_ERROR)
        if self._parts is None:
            self._kind, self._parts = kind, bytearray()
        self._parts += payload
        return bool(head & FIN)

    def _frame(self) -> tuple[int, bytes] | None:
        """Return first byte and payload of the next complete frame, or None."""
        buffer, at = self._buffer, self._at
        available = len(buffer) - at
        if not available:
            # a quiet connection does not keep its last frame in memory
            self._buffer, self._at = b"", 0
        if available < 2:
            return None
        head, size = buffer[at], buffer[at + 1]
        _check_head(head, size)
        size &= ~MASKED
        start = at + 2
        if size > CONTROL_BYTES:
            extra = 2 if size == 126 else 8
            if available < 2 + extra:
                return None
            size = int.from_bytes(buffer[start : start + extra], "big")
            start += extra
        if size + len(self._parts or b"") > self._max_bytes:
            raise FrameError(TOO_BIG)
        end = start + KEY_BYTES + size
        if len(buffer) < end:
            return None
        self._at = end
        return head, unmasked(buffer[start : start + KEY_BYTES], buffer[start + KEY_BYTES : end])


def unmasked(key: bytes | bytearray, payload: bytes | bytearray) -> bytes:
    """Return the payload of a client's frame, decoded with its mask `key`."""
    size = len(payload)
    mask = (key * (size // KEY_BYTES + 1))[:size]
    # two large integers: a loop over the bytes would be a hundred times slower
    return (int.from_bytes(payload, "little") ^ int.from_bytes(mask, "little")).to_bytes(size, "little")


def _check_head(head: int, size: int) -> None:
    # clients mask every frame, use no reserved bit or kind, and keep control frames short and whole
    kind = head & 0x0F
    if head & 0x70 or not size & MASKED or kind not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
        raise FrameError(PROTOCOL_ERROR)
    if kind & 0x8 and (not head & FIN or size & ~MASKED > CONTROL_BYTES):
        raise FrameError(PROTOCOL_ERROR)


def _message(kind: int, payload: bytes) -> Message:
    if kind != TEXT:
        return Message(kind, payload)
    try:
        return Message(TEXT, payload.decode())
    except UnicodeDecodeError:
        raise FrameError(NOT_UTF8) from None
