"""A tracking server that emits positions and messages to everyone."""

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


class Position(BaseModel):
    lat: float = Field(ge=-90, le=90)
    lng: float = Field(ge=-180, le=180)


class ChatSend(BaseModel):
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
    await sio.enter_room(sid, f"user:{claims['sub']}")
    await sio.enter_room(sid, f"company:{claims['company']}")


@sio.on("position:update")
async def update_position(sid, data):
    if not await limiter.hit(PER_SOCKET, sid):
        return {"error": "rate_limited"}
    position = Position.model_validate(data)
    session = await sio.get_session(sid)
    message = {"driver": session["user"], **position.model_dump()}
    await sio.emit("driver:position", message)  # <- RM061
    return {"ok": True}


@sio.on("chat:send")
async def send_chat(sid, data):
    if not await limiter.hit(PER_SOCKET, sid):
        return {"error": "rate_limited"}
    sent = ChatSend.model_validate(data)
    session = await sio.get_session(sid)
    message = {"from": session["user"], "company": session["company"], "text": sent.text}
    await sio.emit("chat:message", message, skip_sid=sid)  # <- RM061
    return {"ok": True}


if __name__ == "__main__":
    app = web.Application()
    sio.attach(app)
    web.run_app(app, host="127.0.0.1", port=8080)
