"""Answers for the life of a WebSocket under Socket.IO: from the request to the library's records, and out of them.

The one place that relies on private names of the library: `_handle_eio_connect`, `AsyncSocket` and what it calls. A
test fails when a new version moves them; `SERVER_DELIVERY=stock` goes back to the library's own path. Long polling, and
an upgrade from it, is always the library's.
"""

import asyncio
from typing import Any

import orjson
from aiohttp import web
from engineio import async_socket, exceptions, packet
from socketio import packet as socketio_packet

from ..delivery.connection import TURN_MESSAGES, Connection
from ..delivery.frames import frame, message_frame
from ..delivery.heartbeats import Heartbeats
from ..delivery.send_queue import WriteBatcher, SendQueue

# an Engine.IO message that is a Socket.IO event
EVENT_PREFIX = f"{packet.MESSAGE}{socketio_packet.EVENT}"
ENGINE_IO = "4"
# where a request's outbox is found by who closes its connection
OUTBOX = web.RequestKey("outbox", SendQueue)


class Upgraded(web.StreamResponse):
    """What aiohttp is told at the end: everything was said on the WebSocket."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Nothing is left to write."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to write."""

    @property
    def keep_alive(self) -> bool:
        return False


class Socket(async_socket.AsyncSocket):  # type: ignore[misc]  # the library ships no types
    """The library's record of one connection, read by a loop of ours."""

    def __init__(self, sio: Any, heartbeats: Heartbeats) -> None:
        super().__init__(sio.eio, sio.eio.generate_id())
        self._sio = sio
        self._heartbeats = heartbeats
        # the heartbeats keep the time
        self.last_ping = None
        self.connected = self.upgraded = True

    def schedule_ping(self) -> None:
        """The library calls this at each PONG."""
        self._heartbeats.answered(self)

    async def read(self, connection: Connection) -> None:
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
            await self.receive(packet.Packet(encoded_packet=data))
            return
        sio = self._sio
        event = sio.packet_class(encoded_packet=data[1:])
        name = event.namespace or "/"
        namespace = sio.namespace_handlers.get(name)
        if namespace is None or name in sio.handlers:
            await self.receive(packet.Packet(encoded_packet=data))
            return
        sid = sio.manager.sid_from_eio_sid(self.sid, name)
        if not sio.manager.is_connected(sid, name):
            # nothing is served: it is left to who counts such packets
            await self.receive(packet.Packet(encoded_packet=data))
            return
        answer = await namespace.trigger_event(event.data[0], sid, *event.data[1:])
        if event.id is not None and answer != sio.not_handled:
            values = [] if answer is None else list(answer) if isinstance(answer, tuple) else [answer]
            ack = sio.packet_class(socketio_packet.ACK, values, name, event.id, False)
            self.queue.write(message_frame(ack.encode()))


class Engine:
    """Serves the WebSocket requests of a Socket.IO server; its library serves any other."""

    def __init__(self, sio: Any) -> None:
        self._sio = sio
        self._eio = sio.eio
        self._library = sio.eio.handle_request
        self._heartbeats = Heartbeats(sio.eio.ping_interval, sio.eio.ping_timeout)
        # one line of the library's own, but for the session's id
        self._terms = {
            "upgrades": [],
            "pingTimeout": int(self._eio.ping_timeout * 1000),
            "pingInterval": int(self._eio.ping_interval) * 1000,
            "maxPayload": self._eio.max_http_buffer_size,
        }

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        """One request, until its connection has ended."""
        query = request.query
        is_ours = request.method == "GET" and query.get("transport") == "websocket" and query.get("EIO") == ENGINE_IO
        if not is_ours or "sid" in query:
            response: web.StreamResponse = await self._library(request)
            return response
        socket = Socket(self._sio, self._heartbeats)
        opening = packet.Packet(packet.OPEN, orjson.dumps({"sid": socket.sid} | self._terms).decode())
        connection = Connection(request, self._eio.max_http_buffer_size)
        self._eio.sockets[socket.sid] = socket
        request[OUTBOX] = socket.queue
        try:
            await self._sio._handle_eio_connect(socket.sid, {"aiohttp.request": request})
            connection.open(socket.queue, frame(opening.encode()))
            self._heartbeats.add(socket)
            await socket.read(connection)
        finally:
            self._heartbeats.forget(socket)
            await socket.close(wait=False, abort=True, reason=self._eio.reason.TRANSPORT_CLOSE)
            self._eio.sockets.pop(socket.sid, None)
            await connection.close()
        return Upgraded()


def install(sio: Any, gathering: WriteBatcher) -> None:
    """Puts the engine under a Socket.IO server, before it is attached: queues become outboxes, WebSockets are ours."""
    sio.eio.create_queue = lambda *args, **kwargs: SendQueue(gathering)
    sio.eio.handle_request = Engine(sio).handle_request
    if "polling" not in sio.eio.transports:
        # the library's walk over all sockets for late ones; ours are the heartbeats'
        sio.eio.start_service_task = False
