"""A report server that sends results to the socket that asked."""

import asyncio
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
tasks = set()


class ReportRequest(BaseModel):
    size: int = Field(gt=0, le=10_000)


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


@sio.on("report:request")
async def request_report(sid, data):
    if not await limiter.hit(PER_SOCKET, sid):
        return {"error": "rate_limited"}
    wanted = ReportRequest.model_validate(data)

    async def make_report():
        await asyncio.sleep(wanted.size / 1000)
        await sio.emit("report:ready", {"size": wanted.size}, to=sid)  # <- RM024

    task = asyncio.create_task(make_report())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return {"accepted": True}


if __name__ == "__main__":
    app = web.Application()
    sio.attach(app)
    web.run_app(app, host="127.0.0.1", port=8080)
