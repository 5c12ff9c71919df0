"""Builds the bytes that the benchmark `lab bench` sends to Socket.IO servers.

The bytes are WebSocket frames with Socket.IO packets. The module also makes the users' tokens, and the frames with
which a server delivers messages.
"""

import secrets
import time
from collections.abc import Sequence
from typing import Any

import jwt
import orjson

from good_server.settings import Settings

# one per run, the same for every peer
SECRET = secrets.token_hex(32)
ISSUER = str(Settings.model_fields["jwt_issuer"].default)
AUDIENCE = str(Settings.model_fields["jwt_audience"].default[0])
ROOM = "job:1"
ABSENT_USER = "nobody"
UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
# not zeros: some servers skip the unmasking of a zero mask, and real clients do not use one
MASK = b"\x12\x34\x56\x78"


def token(user: str, *, life_seconds: int = 3600) -> str:
    """Returns a JWT for `user`.

    The token gives the user the role `vendor` and permission to join the room `ROOM`. The token expires after
    `life_seconds` seconds.
    """
    now = int(time.time())
    claims: dict[str, Any] = {"sub": user, "role": "vendor", "iat": now, "exp": now + life_seconds, "rooms": [ROOM]}
    claims |= {"iss": ISSUER, "aud": AUDIENCE}
    return jwt.encode(claims, SECRET, algorithm="HS256", headers={"typ": "at+jwt"})


def frame(payload: bytes, *, first_byte: int = TEXT) -> bytes:
    """Returns `payload` as a client's masked WebSocket frame.

    The format is RFC 6455, section 5.3. `first_byte` is the first byte of the frame, which holds the opcode. Raises
    `ValueError` when the payload has 64 KiB or more.
    """
    size = len(payload)
    if size >= 1 << 16:
        raise ValueError("the load has no frame as large as that")
    header = bytes((first_byte, 0x80 | size)) if size < 126 else bytes((first_byte, 0xFE)) + size.to_bytes(2, "big")
    key = (MASK * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return header + MASK + masked.to_bytes(size, "big")


def connect_frame(user: str) -> bytes:
    """Returns a WebSocket frame with a Socket.IO CONNECT packet.

    The packet contains a token of `user`.
    """
    return frame(b"40" + orjson.dumps({"token": token(user)}))


def chat_frame(text: str, *, ack: int, room: str | None = None, to: str | None = None) -> bytes:
    """Returns the WebSocket frame of a `chat:send` event with an ack id.

    `ack` is the ack id, and `text` the text of the message. The recipient is the user `to`, or else the room `room`.
    """
    target = {"room": room} if to is None else {"to": to}
    return event_frame("chat:send", {**target, "text": text}, ack=ack)


def event_frame(name: str, data: Any, *, ack: int) -> bytes:
    """Returns the WebSocket frame of the event `name` with an ack id.

    `ack` is the ack id, and `data` the payload of the event.
    """
    return frame(b"42%d" % ack + orjson.dumps([name, data]))


def delivery_frames(texts: Sequence[str]) -> bytes:
    """Returns the bytes with which a server delivers chat messages.

    The bytes are for one client. Each of `texts` is the text of a message to the room `ROOM`. For each message, the
    bytes contain one unmasked WebSocket frame.
    """
    frames = []
    for number, text in enumerate(texts):
        sender = {"id": "member-0", "role": "vendor"}
        at = int(time.time() * 1000)
        message = {"id": f"{number:032x}", "from": sender, "room": ROOM, "text": text, "at": at}
        payload = b"42" + orjson.dumps(["chat:message", message])
        frames.append(bytes((TEXT, 126)) + len(payload).to_bytes(2, "big") + payload)
    return b"".join(frames)
