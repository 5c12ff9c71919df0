"""A chat server that keeps by hand who is online."""

import os
import time

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
online_since = {}


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
    await sio.save_session(sid, {"user": claims["sub"], "dispatcher": claims["dispatcher"]})
    await sio.enter_room(sid, f"user:{claims['sub']}")
    online_since[claims["sub"]] = time.time()


@sio.event
async def disconnect(sid, reason):
    session = await sio.get_session(sid)
    del online_since[session["user"]]  # <- RM051


@sio.on("chat:send")
async def send_chat(sid, data):
    if not await limiter.hit(PER_SOCKET, sid):
        return {"error": "rate_limited"}
    sent = ChatSend.model_validate(data)
    session = await sio.get_session(sid)
    if session["dispatcher"] not in online_since:
        return {"sent": False}
    message = {"from": session["user"], "text": sent.text}
    await sio.emit("chat:message", message, to=f"user:{session['dispatcher']}")
    return {"sent": True}


if __name__ == "__main__":
    app = web.Application()
    sio.attach(app)
    web.run_app(app, host="127.0.0.1", port=8080)
