"""Answers for bytes on the wire: tokens, masked frames, and the packets of the load."""

import secrets
import time
from collections.abc import Sequence
from typing import Any

import jwt
import orjson

from good_server.settings import Settings

# one a run, the same for every peer
SECRET = secrets.token_hex(32)
ISSUER = str(Settings.model_fields["jwt_issuer"].default)
AUDIENCE = str(Settings.model_fields["jwt_audience"].default)
ROOM = "job:1"
ABSENT = "nobody"
UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
# not zeros: some servers do not unmask what zeros have masked, and no client masks with them
MASK = b"\x12\x34\x56\x78"


def token(user: str, *, life_seconds: int = 3600) -> str:
    """A JWT by the contract, for a vendor who may be in `ROOM`."""
    now = int(time.time())
    claims: dict[str, Any] = {"sub": user, "role": "vendor", "iat": now, "exp": now + life_seconds, "rooms": [ROOM]}
    claims |= {"iss": ISSUER, "aud": AUDIENCE}
    return jwt.encode(claims, SECRET, algorithm="HS256", headers={"typ": "at+jwt"})


def frame(payload: bytes, *, first: int = TEXT) -> bytes:
    """A client's frame, masked (RFC 6455, 5.3); `first` is its first byte. Raises `ValueError` above 64 KiB."""
    size = len(payload)
    if size >= 1 << 16:
        raise ValueError("the load has no frame as large as that")
    head = bytes((first, 0x80 | size)) if size < 126 else bytes((first, 0xFE)) + size.to_bytes(2, "big")
    key = (MASK * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return head + MASK + masked.to_bytes(size, "big")


def connect(user: str) -> bytes:
    """The CONNECT of a user."""
    return frame(b"40" + orjson.dumps({"token": token(user)}))


def chat(text: str, *, ack: int, room: str | None = None, to: str | None = None) -> bytes:
    """A `chat:send` to a room or a user, which asks for an ack."""
    target = {"room": room} if to is None else {"to": to}
    return event("chat:send", {**target, "text": text}, ack=ack)


def event(name: str, data: Any, *, ack: int) -> bytes:
    """Any event that asks for an ack."""
    return frame(b"42%d" % ack + orjson.dumps([name, data]))


def delivered(texts: Sequence[str]) -> bytes:
    """What a server writes to deliver these texts to one member of `ROOM`: one frame each, unmasked."""
    frames = []
    for number, text in enumerate(texts):
        sender = {"id": "member-0", "role": "vendor"}
        at = int(time.time() * 1000)
        message = {"id": f"{number:032x}", "from": sender, "room": ROOM, "text": text, "at": at}
        payload = b"42" + orjson.dumps(["chat:message", message])
        frames.append(bytes((TEXT, 126)) + len(payload).to_bytes(2, "big") + payload)
    return b"".join(frames)
