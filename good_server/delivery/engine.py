"""Serves the WebSocket connections of a Socket.IO server.

Only this module uses private names of python-socketio and python-engineio: `_handle_eio_connect`, `AsyncSocket`, and
the methods that `AsyncSocket` calls. A test fails when a new version changes these names. With the setting
`SERVER_DELIVERY=stock`, the server does not use these names. python-socketio itself serves long polling.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web
from engineio import async_socket, exceptions, packet
from socketio import packet as socketio_packet
from websockets.frames import CloseCode

from ..closing import CLOSE_REASON
from ..settings import Settings
from .connection import MESSAGES_PER_TURN, Connection
from .frames import ack_frame, frame
from .heartbeats import Heartbeats
from .room_manager import RoomManager
from .send_queue import SendQueue, WriteBatcher

# an Engine.IO message that is a Socket.IO event
EVENT_PREFIX = f"{packet.MESSAGE}{socketio_packet.EVENT}"
# Connections that end in one pass of the event loop. When a proxy stops, thousands end at once: the others are served
# meanwhile.
ENDS_PER_PASS = 20
# a checked handshake, which the engine serves
CONNECTION = web.RequestKey("connection", Connection)
# holds the send queue of a request, for code that closes its connection
SEND_QUEUE = web.RequestKey("send_queue", SendQueue)


class Upgraded(web.StreamResponse):
    """The HTTP response object that aiohttp gets after a WebSocket has ended. It makes aiohttp write nothing."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write no HTTP headers: the WebSocket has already ended."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Write no HTTP body: the WebSocket has already ended."""

    @property
    def keep_alive(self) -> bool:
        return False


class Socket(async_socket.AsyncSocket):  # type: ignore[misc]  # the library ships no types
    """The Engine.IO socket of one connection. Its method `read` replaces the read loop of python-engineio."""

    def __init__(self, sio: Any, heartbeats: Heartbeats) -> None:
        super().__init__(sio.eio, sio.eio.generate_id())
        self._sio = sio
        self._heartbeats = heartbeats
        self._connection: Connection | None = None
        # `Heartbeats` watches the time instead
        self.last_ping = None
        self.connected = self.upgraded = True

    async def read(self, connection: Connection) -> None:
        """Handle the client's messages in order, until the connection ends. A protocol error closes the connection."""
        self._connection = connection
        count = 0
        while not self.closed and (data := await connection.receive()) is not None:
            try:
                await self._dispatch(data)
            except exceptions.SocketIsClosedError:
                return
            except (exceptions.UnknownPacketError, LookupError, ValueError):
                connection.fail(CloseCode.POLICY_VIOLATION)
            count += 1
            if not count % MESSAGES_PER_TURN:
                await asyncio.sleep(0)

    async def _dispatch(self, data: str | bytes) -> None:
        # an event goes to its namespace directly: the library's way there takes seven coroutines
        if not isinstance(data, str) or not data.startswith(EVENT_PREFIX):
            await self._receive_other(packet.Packet(encoded_packet=data))
            return
        sio = self._sio
        event = sio.packet_class(encoded_packet=data[1:])
        name = event.namespace or "/"
        namespace = sio.namespace_handlers.get(name)
        sid = sio.manager.sid_from_eio_sid(self.sid, name)
        if namespace is None or name in sio.handlers or not sio.manager.is_connected(sid, name):
            # `receive` passes it to the code that counts stray packets
            await self.receive(packet.Packet(encoded_packet=data))
            return
        answer = await namespace.trigger_event(event.data[0], sid, *event.data[1:])
        if event.id is not None and answer != sio.not_handled:
            values = [] if answer is None else list(answer) if isinstance(answer, tuple) else [answer]
            self.queue.write(ack_frame(name, event.id, values))

    async def _receive_other(self, received: Any) -> None:
        """Handle a packet that is not an event.

        Too many unexpected packets, such as a PONG without a PING, close the connection.
        """
        if received.packet_type == packet.PONG and self._heartbeats.record_pong(self):
            return
        if received.packet_type not in (packet.MESSAGE, packet.CLOSE) and self._connection is not None:
            self._connection.charge()
        if received.packet_type != packet.PONG:
            await self.receive(received)


class Engine:
    """Serves the WebSocket requests of a Socket.IO server. python-socketio serves all other requests."""

    def __init__(self, sio: Any) -> None:
        self._sio = sio
        self._eio = sio.eio
        self._library: Callable[[web.Request], Awaitable[web.StreamResponse]] = sio.eio.handle_request
        self._heartbeats = Heartbeats(sio.eio.ping_interval, sio.eio.ping_timeout)
        self._ends = asyncio.Semaphore(ENDS_PER_PASS)
        # the library's OPEN packet without the session id
        self._terms = {
            "upgrades": [],
            "pingTimeout": int(self._eio.ping_timeout * 1000),
            "pingInterval": int(self._eio.ping_interval * 1000),
            "maxPayload": self._eio.max_http_buffer_size,
        }

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        """Serve one HTTP request. For a WebSocket request, return after the WebSocket connection has ended."""
        if CONNECTION not in request:
            return await self._library(request)
        connection, socket = request[CONNECTION], Socket(self._sio, self._heartbeats)
        opening = packet.Packet(packet.OPEN, orjson.dumps({"sid": socket.sid} | self._terms).decode())
        self._eio.sockets[socket.sid] = socket
        request[SEND_QUEUE] = socket.queue
        try:
            await self._eio.handlers["connect"](socket.sid, {"aiohttp.request": request})
            connection.open(socket.queue, frame(opening.encode()))
            self._heartbeats.add(socket)
            await socket.read(connection)
            async with self._ends:
                await asyncio.sleep(0)
        finally:
            self._heartbeats.remove(socket)
            if socket.queue.close_reason is not None:
                request[CLOSE_REASON] = socket.queue.close_reason
            await socket.close(wait=False, abort=True, reason=self._eio.reason.TRANSPORT_CLOSE)
            self._eio.sockets.pop(socket.sid, None)
            await connection.close()
        return Upgraded()


class EngineDelivery:
    """Delivers messages to sockets through bounded send queues. Implements the interface `Delivery`."""

    manager = RoomManager

    def __init__(self, settings: Settings, *, on_slow: Callable[[str], None]) -> None:
        self._batcher = WriteBatcher(settings, on_slow=on_slow)
        self._max_bytes = settings.max_frame_bytes

    @property
    def owed_bytes(self) -> int:
        return self._batcher.owed_bytes

    def install(self, sio: Any) -> None:
        """Replace the queues and the WebSocket handler of a Socket.IO server. Call this before `sio.attach`."""
        sio.eio.create_queue = lambda *args, **kwargs: SendQueue(self._batcher)
        sio.eio.handle_request = Engine(sio).handle_request
        if "polling" not in sio.eio.transports:
            # the library would walk over all sockets to find late ones; `Heartbeats` does that here
            sio.eio.start_service_task = False

    def handshake(self, request: web.Request) -> None:
        """Check a WebSocket handshake, and store a new `Connection` in `request`.

        The `Connection` reads the WebSocket after the handshake. Raises `HTTPBadRequest` if the handshake is malformed,
        and `ConnectionResetError` if the client has left.
        """
        request[CONNECTION] = Connection(request, self._max_bytes)

    def flush(self, request: web.Request) -> None:
        if SEND_QUEUE in request:
            request[SEND_QUEUE].flush()
