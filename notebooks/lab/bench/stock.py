"""A minimal chat server with the library python-socketio.

It checks tokens, but has no rate limits and no other checks. `lab bench` compares the good server with this server.
Both servers use uvloop, so that the measured difference does not come from the event loop.
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
    """Returns an application with the chat events of the good server.

    Its only check is the token check: one call of PyJWT for each connection.
    """
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
        message_id, at = uuid.uuid4().hex, time.time_ns() // 1_000_000
        # a chat holds its target, `to` or `room`, and its text
        message = {"id": message_id, "from": await sio.get_session(sid), **chat, "at": at}
        target = f"user:{chat['to']}" if "to" in chat else chat["room"]
        await sio.emit("chat:message", message, room=target, skip_sid=sid)
        return {"ok": True, "data": {"id": message_id, "at": at}}

    return app


def main() -> None:
    """Runs the chat server until killed, and prints its address. The server listens on a free loopback port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    sys.stdout.write(f"listening on http://127.0.0.1:{listener.getsockname()[1]} \n")
    sys.stdout.flush()
    create = loop_factory()
    app = create_app(os.environ["BENCH_SECRET"], os.environ["BENCH_ISSUER"], os.environ["BENCH_AUDIENCE"])
    web.run_app(app, sock=listener, print=None, loop=create() if create is not None else None)


if __name__ == "__main__":
    main()
