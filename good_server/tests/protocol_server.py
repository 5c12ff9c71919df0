"""The server that the protocol suites of Engine.IO and Socket.IO expect.

Its arguments are `protocol_server good|stock engine|socket LOG`. `good` is the gateway and the delivery engine of this
package, `stock` is python-socketio as it comes. Both echo. It writes its URL as a JSON line, and runs until stdin ends.
"""

import asyncio
import itertools
import sys
import time
from dataclasses import replace

import socketio
from aiohttp import web

from ..app import assemble, create_parts
from ..auth import TokenAuth
from ..events import Payload
from ..gateway import Gateway, Route
from ..lifecycle import serve
from ..observability import configure_logging
from ..roles import Identity
from ..runtime import loop_factory
from ..settings import Settings
from .attackers import say
from .echo_server import listen
from .log_file import log_to
from .stand_in import PLAIN

# what the suites expect of a server
NAMESPACES = ("/", "/custom")
PING = {"ping_interval_seconds": 0.3, "ping_timeout_seconds": 0.2}
MAX_PAYLOAD_BYTES = 1_000_000
AUTH, MESSAGE, MESSAGE_BACK, MESSAGE_WITH_ACK = "auth", "message", "message-back", "message-with-ack"
# "should close the connection if no handshake is received" waits for two seconds, the heartbeats take 0.9
HANDSHAKE_SECONDS = {"engine": 60.0, "socket": 1.2}
LIFE_SECONDS = 3600


class Anyone(TokenAuth):
    """Accepts every client, each as another user: the suites send no token."""

    def __init__(self, settings):
        super().__init__(settings)
        self._numbers = itertools.count()

    async def identify(self, *_handshake):
        return Identity(f"suite-{next(self._numbers)}", PLAIN, time.time() + LIFE_SECONDS)


class Echo(Gateway):
    """A gateway with the three events of the suite. Its payloads are any values, and its acks have no envelope."""

    def __init__(self, namespace, guards):
        routes = (Route(MESSAGE, Payload, self._send_back), Route(MESSAGE_WITH_ACK, Payload, self._return))
        super().__init__(namespace, guards, routes)
        self._greetings = set()

    async def trigger_event(self, event, *args):
        answer = await super().trigger_event(event, *args)
        if event == "connect":
            self._greet(args[0], args[2] if len(args) > 2 else None)
        return tuple(answer["data"]) if event == MESSAGE_WITH_ACK and answer["ok"] else answer

    def read(self, route, arguments):
        return arguments

    def _greet(self, sid, auth):
        # the library sends the CONNECT reply after this turn of the loop
        greeting = asyncio.create_task(self.emit(AUTH, auth or {}, room=sid))
        self._greetings.add(greeting)
        greeting.add_done_callback(self._greetings.discard)

    async def _send_back(self, request, arguments):
        await self.emit(MESSAGE_BACK, tuple(arguments), room=request.sid)
        return {}

    async def _return(self, request, arguments):
        return arguments


def good_application(suite):
    settings = Settings(
        port=0,
        internal_port=0,
        report_workers=1,
        max_frame_bytes=MAX_PAYLOAD_BYTES,
        handshake_seconds=HANDSHAKE_SECONDS[suite],
    ).model_copy(update=PING)
    parts = create_parts(settings)
    guards = replace(parts.guards, auth=Anyone(settings))
    return assemble(replace(parts, guards=guards), [Echo(namespace, guards) for namespace in NAMESPACES])


def stock_server():
    sio = socketio.AsyncServer(
        async_mode="aiohttp",
        ping_interval=PING["ping_interval_seconds"],
        ping_timeout=PING["ping_timeout_seconds"],
        max_http_buffer_size=MAX_PAYLOAD_BYTES,
        cors_allowed_origins="*",
    )
    for namespace in NAMESPACES:
        add_stock_events(sio, namespace)
    return sio


def add_stock_events(sio, namespace):
    async def connect(sid, environ, auth=None):
        sio.start_background_task(sio.emit, AUTH, auth or {}, room=sid, namespace=namespace)

    async def send_back(sid, *arguments):
        await sio.emit(MESSAGE_BACK, arguments, room=sid, namespace=namespace)

    async def answer(sid, *arguments):
        return arguments

    for event, handler in (("connect", connect), (MESSAGE, send_back), (MESSAGE_WITH_ACK, answer)):
        sio.on(event, handler, namespace=namespace)


def echo_engine_packets(sio):
    """Send every Engine.IO message back, and read no Socket.IO packets."""

    async def echo(connection, data):
        await sio.eio.send(connection, data)

    sio.eio.on("message", echo)


async def run(kind, suite):
    stop = asyncio.Event()
    if kind == "good":
        application = good_application(suite)
        sio, running = application.sio, serve(application, lambda addresses: say(addresses.public), stop)
    else:
        sio, app = stock_server(), web.Application()
        sio.attach(app)
        running = serve_stock(app, stop)
    if suite == "engine":
        echo_engine_packets(sio)
    stdin = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    task = asyncio.create_task(running)
    # a server that does not start ends this process at once
    await asyncio.wait({task, asyncio.ensure_future(stdin.read())}, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    await task


async def serve_stock(app, stop):
    runner = await listen(app)
    await stop.wait()
    await runner.cleanup()


def main(kind, suite, log):
    # the suites provoke errors, and stock python-socketio writes a traceback for each
    log_to(log)
    configure_logging(json_lines=True)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(run(kind, suite))
