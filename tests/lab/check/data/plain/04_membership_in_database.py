"""A chat server that keeps room members in a table."""

import os

import jwt
import socketio
from aiohttp import web
from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from pydantic import BaseModel, Field
from shop.database import database
from socketio.exceptions import ConnectionRefusedError

sio = socketio.AsyncServer(async_mode="aiohttp", max_http_buffer_size=16_384)
limiter = MovingWindowRateLimiter(MemoryStorage())
PER_SOCKET = parse("20/second")


class ChatSend(BaseModel):
    room: str = Field(max_length=100)
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
    await sio.save_session(sid, {"user": claims["sub"]})
    await sio.enter_room(sid, f"user:{claims['sub']}")
    for room in claims["jobs"]:
        await database.execute("INSERT INTO members VALUES ($1, $2)", room, claims["sub"])  # <- RM041


@sio.event
async def disconnect(sid, reason):
    session = await sio.get_session(sid)
    await database.execute("DELETE FROM members WHERE user_id = $1", session["user"])  # <- RM052


@sio.on("chat:send")
async def send_chat(sid, data):
    if not await limiter.hit(PER_SOCKET, sid):
        return {"error": "rate_limited"}
    sent = ChatSend.model_validate(data)
    session = await sio.get_session(sid)
    rows = await database.fetch("SELECT user_id FROM members WHERE room = $1", sent.room)  # <- RM041
    members = [row["user_id"] for row in rows]
    if session["user"] not in members:
        return {"error": "forbidden"}
    message = {"from": session["user"], "text": sent.text}
    for member in members:
        await sio.emit("chat:message", message, to=f"user:{member}")
    return {"ok": True}


if __name__ == "__main__":
    app = web.Application()
    sio.attach(app)
    web.run_app(app, host="127.0.0.1", port=8080)
