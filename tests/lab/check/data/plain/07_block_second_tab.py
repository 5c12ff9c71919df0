"""A chat server that allows each user one connection."""

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
    room = f"user:{claims['sub']}"
    await sio.enter_room(sid, room)
    await sio.enter_room(sid, f"company:{claims['company']}")
    await end_older_sessions(sid, room)


async def end_older_sessions(sid, room):
    """Close all sockets of the user except the newest one."""
    for other, _ in list(sio.manager.get_participants("/", room)):
        if other != sid:
            await sio.disconnect(other)  # <- RM071


@sio.on("chat:send")
async def send_chat(sid, data):
    if not await limiter.hit(PER_SOCKET, sid):
        return {"error": "rate_limited"}
    sent = ChatSend.model_validate(data)
    session = await sio.get_session(sid)
    message = {"from": session["user"], "text": sent.text}
    await sio.emit("chat:message", message, to=f"company:{session['company']}")
    return {"ok": True}


if __name__ == "__main__":
    app = web.Application()
    sio.attach(app)
    web.run_app(app, host="127.0.0.1", port=8080)
