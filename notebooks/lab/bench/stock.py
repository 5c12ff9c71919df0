"""Answers for the peer `python-socketio`: the library as it comes on aiohttp, with minimal handlers and no guards.

It is given uvloop, which its documentation leaves to the user: what is compared is not the event loop.
"""

import os
import socket
import sys
import time
import uuid
from typing import Any

import jwt
import socketio
from aiohttp import web

from good_server.runtime import loop_factory


def create_app(secret: str, issuer: str, audience: str) -> web.Application:
    """The same events as the good server's chat, and a token that is checked the plain way."""
    sio = socketio.AsyncServer(async_mode="aiohttp", transports=["websocket"])
    app = web.Application()
    sio.attach(app)

    @sio.event  # type: ignore[untyped-decorator]
    async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
        try:
            claims = jwt.decode(auth["token"], secret, algorithms=["HS256"], audience=audience, issuer=issuer)
        except (jwt.PyJWTError, TypeError, KeyError):
            raise socketio.exceptions.ConnectionRefusedError("unauthorized") from None
        await sio.save_session(sid, {"id": claims["sub"], "role": claims["role"]})
        await sio.enter_room(sid, f"user:{claims['sub']}")
        for room in claims["rooms"]:
            await sio.enter_room(sid, room)

    @sio.on("chat:send")  # type: ignore[untyped-decorator]
    async def send(sid: str, chat: dict[str, Any]) -> dict[str, Any]:
        number, at = uuid.uuid4().hex, time.time_ns() // 1_000_000
        # a chat holds its target, `to` or `room`, and its text
        message = {"id": number, "from": await sio.get_session(sid), **chat, "at": at}
        target = f"user:{chat['to']}" if "to" in chat else chat["room"]
        await sio.emit("chat:message", message, room=target, skip_sid=sid)
        return {"ok": True, "data": {"id": number, "at": at}}

    return app


def main() -> None:
    """Serves on a free port of loopback until it is killed; says on which."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    sys.stdout.write(f"listening on http://127.0.0.1:{listener.getsockname()[1]} \n")
    sys.stdout.flush()
    create = loop_factory()
    app = create_app(os.environ["BENCH_SECRET"], os.environ["BENCH_ISSUER"], os.environ["BENCH_AUDIENCE"])
    web.run_app(app, sock=listener, print=None, loop=create() if create is not None else None)


if __name__ == "__main__":
    main()
