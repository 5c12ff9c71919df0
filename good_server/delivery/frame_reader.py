"""Answers for what comes over a WebSocket: bytes as they arrive become whole messages (RFC 6455, 5)."""

from typing import Any, NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
NORMAL, PROTOCOL_ERROR, NOT_UTF8, TOO_BIG = 1000, 1002, 1007, 1009
FIN = 0x80
MASKED = 0x80
CONTROL_BYTES = 125
KEY_BYTES = 4


class Message(NamedTuple):
    """One message: `kind` is TEXT, with a string, or BINARY, CLOSE, PING or PONG, with bytes."""

    kind: int
    data: Any


class FrameError(Exception):
    """The peer breaks the protocol; `code` is what to close with."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class FrameReader:
    """Takes bytes, gives messages one by one, so that what is not asked for yet stays bytes.

    A frame's announced length is judged before its payload comes: nothing over `most_bytes` is ever kept.
    """

    __slots__ = ("_at", "_buffer", "_kind", "_most_bytes", "_parts")

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._buffer: bytes | bytearray = b""
        self._at = 0
        # of a message in fragments: what it is, and what has come
        self._kind = CONTINUATION
        self._parts: bytearray | None = None

    @property
    def waiting_bytes(self) -> int:
        """How much has come and was not asked for."""
        return len(self._buffer) - self._at

    def feed(self, data: bytes) -> None:
        """Takes what came."""
        if self._at == len(self._buffer):
            # nearly always: a frame comes whole, and is read where it is
            self._buffer, self._at = data, 0
            return
        rest = self._buffer if isinstance(self._buffer, bytearray) else bytearray(self._buffer)
        # cheap: a bytearray only moves its start
        del rest[: self._at]
        rest += data
        self._buffer, self._at = rest, 0

    def next(self) -> Message | None:
        """The next whole message, or None; raises `FrameError`."""
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
        """Adds a fragment; returns whether it was the last."""
        kind = head & 0x0F
        # a first fragment names its kind, those that follow do not
        if (kind == CONTINUATION) != (self._parts is not None):
            raise FrameError(PROTOCOL_ERROR)
        if self._parts is None:
            self._kind, self._parts = kind, bytearray()
        self._parts += payload
        return bool(head & FIN)

    def _frame(self) -> tuple[int, bytes] | None:
        """The first byte and the payload of the next frame, when all of it is here."""
        buffer, at = self._buffer, self._at
        here = len(buffer) - at
        if not here:
            # a quiet connection does not keep what it said last
            self._buffer, self._at = b"", 0
        if here < 2:
            return None
        head, size = buffer[at], buffer[at + 1]
        _check_head(head, size)
        size &= ~MASKED
        start = at + 2
        if size > CONTROL_BYTES:
            extra = 2 if size == 126 else 8
            if here < 2 + extra:
                return None
            size = int.from_bytes(buffer[start : start + extra], "big")
            start += extra
        if size + len(self._parts or b"") > self._most_bytes:
            raise FrameError(TOO_BIG)
        end = start + KEY_BYTES + size
        if len(buffer) < end:
            return None
        self._at = end
        return head, unmasked(buffer[start : start + KEY_BYTES], buffer[start + KEY_BYTES : end])


def unmasked(key: bytes | bytearray, payload: bytes | bytearray) -> bytes:
    """The payload without its mask; as two whole numbers, since a loop over bytes would be a hundred times slower."""
    size = len(payload)
    mask = (key * (size // KEY_BYTES + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(mask, "little")).to_bytes(size, "little")


def _check_head(head: int, size: int) -> None:
    """Clients mask every frame, use no reserved bit or kind, and keep control frames short and whole."""
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
