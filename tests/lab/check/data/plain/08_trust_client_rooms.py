"""A chat server whose clients choose their rooms and their names."""

import os

import jwt
import socketio
from aiohttp import web
from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from pydantic import BaseModel, Field
from socketio.exceptions import ConnectionRefusedError

sio = socketio.AsyncServer(async_mode="aiohttp", max_http_buffer_size=16_384)
limiter = MovingWindowRateLimiter(MemoryStorage())
PER_SOCKET = parse("20/second")


class RoomJoin(BaseModel):
    room: str = Field(max_length=100)


class ChatSend(BaseModel):
    room: str = Field(max_length=100)
    sender: str = Field(max_length=100)
    text: str = Field(max_length=2000)


def verify_token(auth):
    """Return the claims of a valid token, or refuse the connection."""
    try:
        return jwt.decode(auth["token"], os.environ["JWT_KEY"], algorithms=["HS256"])
    except (KeyError, TypeError, jwt.InvalidTokenError):
        raise ConnectionRefusedError("unauthorized") from None


@sio.event
async def connect(sid, environ, auth):
    claims = verify_token(auth)
    await sio.save_session(sid, {"user": claims["sub"], "company": claims["company"]})
    await sio.enter_room(sid, f"company:{claims['company']}")


@sio.on("room:join")
async def join_room(sid, data):
    if not await limiter.hit(PER_SOCKET, sid):
        return {"error": "rate_limited"}
    wanted = RoomJoin.model_validate(data)
    await sio.enter_room(sid, wanted.room)  # <- RM081
    return {"room": wanted.room}


@sio.on("chat:send")
async def send_chat(sid, data):
    if not await limiter.hit(PER_SOCKET, sid):
        return {"error": "rate_limited"}
    sent = ChatSend.model_validate(data)
    if sent.room not in sio.rooms(sid):
        return {"error": "forbidden"}
    message = {"from": sent.sender, "text": sent.text}  # <- RM082
    await sio.emit("chat:message", message, to=sent.room)
    return {"ok": True}


if __name__ == "__main__":
    app = web.Application()
    sio.attach(app)
    web.run_app(app, host="127.0.0.1", port=8080)
