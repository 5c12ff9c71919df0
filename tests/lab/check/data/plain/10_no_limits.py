"""A chat server without limits and validation."""

import os

import jwt
import socketio
from aiohttp import web
from socketio.exceptions import ConnectionRefusedError

sio = socketio.AsyncServer(async_mode="aiohttp")  # <- RM101 RM104


def verify_token(auth):
    """Return the claims of a valid token, or refuse the connection."""
    try:
        return jwt.decode(auth["token"], os.environ["JWT_KEY"], algorithms=["HS256"])
    except (KeyError, TypeError, jwt.InvalidTokenError):
        raise ConnectionRefusedError("unauthorized") from None


def may_join(user, room):
    """Return whether the user may join the room: jobs are public."""
    return user is not None and room.startswith("job:")


@sio.event
async def connect(sid, environ, auth):
    claims = verify_token(auth)
    await sio.save_session(sid, {"user": claims["sub"], "company": claims["company"]})
    await sio.enter_room(sid, f"company:{claims['company']}")


@sio.on("room:join")
async def join_room(sid, data):
    session = await sio.get_session(sid)
    if not may_join(session["user"], data["room"]):
        return {"error": "forbidden"}
    await sio.enter_room(sid, data["room"])
    return {"room": data["room"]}


@sio.on("chat:send")
async def send_chat(sid, data):
    session = await sio.get_session(sid)
    message = {"from": session["user"], "text": data["text"]}
    await sio.emit("chat:message", message, to=f"company:{session['company']}")
    return {"ok": True}


if __name__ == "__main__":
    app = web.Application()
    sio.attach(app)
    web.run_app(app, host="127.0.0.1", port=8080)
