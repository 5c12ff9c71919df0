"""Answers for the life of a WebSocket connection: a frame loop of our own in place of a task and a timer a frame.

The one place that relies on private names of the library: `_async` (its table of transports) and what a driver is
handed. A test fails when a new version moves them; `SERVER_DELIVERY=stock` goes back to the library's own path.
"""

import asyncio
import contextlib
import functools
from typing import Any

from aiohttp import web
from engineio import exceptions, packet
from socketio import packet as socketio_packet

from good_server.delivery.connection import CLOSE_SECONDS, TURN_MESSAGES, Connection
from good_server.delivery.frames import message_frame
from good_server.delivery.outbox import Gathering, Outbox

# an Engine.IO message that is a Socket.IO event
EVENT_PREFIX = f"{packet.MESSAGE}{socketio_packet.EVENT}"
# where a request's outbox is found by who closes its connection
OUTBOX = web.RequestKey("outbox", Outbox)


class Upgraded(web.StreamResponse):
    """What aiohttp is told at the end: everything was said on the WebSocket."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Nothing is left to write."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to write."""

    @property
    def keep_alive(self) -> bool:
        return False


class WebSocketDriver:
    """What the library calls for each WebSocket: `handler` is a method of the connection's Engine.IO socket."""

    def __init__(self, sio: Any, handler: Any, server: Any) -> None:
        self._sio = sio
        self._handler = handler
        self._socket = handler.__self__
        self._server = server
        self._response: web.WebSocketResponse | None = None

    async def __call__(self, environ: dict[str, Any]) -> web.StreamResponse:
        request: web.Request = environ["aiohttp.request"]
        if self._socket.connected:
            return await self._upgrade(request)
        request[OUTBOX] = outbox = self._socket.queue
        connection = Connection(request, outbox, most_bytes=self._server.max_http_buffer_size)
        self._socket.connected = self._socket.upgraded = True
        try:
            await self._read(connection)
        finally:
            await self._socket.close(wait=False, abort=True, reason=self._server.reason.TRANSPORT_CLOSE)
            await connection.close()
        return Upgraded()

    async def _read(self, connection: Connection) -> None:
        """Every message in turn, until the connection is closed or speaks another protocol."""
        taken = 0
        while (message := await connection.message()) is not None:
            try:
                await self._take(message.data)
            except (exceptions.SocketIsClosedError, exceptions.UnknownPacketError, LookupError, ValueError):
                return
            taken += 1
            if not taken % TURN_MESSAGES:
                await asyncio.sleep(0)

    async def _take(self, data: str | bytes) -> None:
        """One packet. An event goes to its namespace directly: the library's way there is seven coroutines long."""
        if not isinstance(data, str) or not data.startswith(EVENT_PREFIX):
            await self._socket.receive(packet.Packet(encoded_packet=data))
            return
        sio, manager = self._sio, self._sio.manager
        event = sio.packet_class(encoded_packet=data[1:])
        name = event.namespace or "/"
        namespace = sio.namespace_handlers.get(name)
        if namespace is None or name in sio.handlers:
            await self._socket.receive(packet.Packet(encoded_packet=data))
            return
        sid = manager.sid_from_eio_sid(self._socket.sid, name)
        if not manager.is_connected(sid, name):
            return
        answer = await namespace.trigger_event(event.data[0], sid, *event.data[1:])
        if event.id is not None and answer != sio.not_handled:
            values = [] if answer is None else list(answer) if isinstance(answer, tuple) else [answer]
            ack = sio.packet_class(socketio_packet.ACK, values, name, event.id, False)
            self._socket.queue.write(message_frame(ack.encode()))

    async def _upgrade(self, request: web.Request) -> web.WebSocketResponse:
        """From long polling: the library knows how."""
        self._response = web.WebSocketResponse(
            max_msg_size=self._server.max_http_buffer_size, timeout=CLOSE_SECONDS, compress=False
        )
        await self._response.prepare(request)
        await self._handler(self)
        return self._response

    # what the library's own loop asks of a driver, for an upgrade

    async def wait(self) -> Any:
        """The next frame's data; raises `OSError` when there is none."""
        message = await self._opened().receive()
        if not isinstance(message.data, str | bytes):
            raise OSError("closed")
        return message.data

    async def send(self, data: str | bytes) -> None:
        """Sends one frame."""
        await (self._opened().send_bytes(data) if isinstance(data, bytes) else self._opened().send_str(data))

    async def close(self) -> None:
        """Closes politely."""
        with contextlib.suppress(ConnectionError):
            await self._opened().close()

    def _opened(self) -> web.WebSocketResponse:
        if self._response is None:
            raise OSError("not open")
        return self._response


def install(sio: Any, gathering: Gathering) -> None:
    """Puts the engine under a Socket.IO server: its queues become outboxes, its WebSockets are driven by ours."""
    sio.eio.create_queue = lambda *args, **kwargs: Outbox(gathering)
    sio.eio._async = {**sio.eio._async, "websocket": functools.partial(WebSocketDriver, sio)}
