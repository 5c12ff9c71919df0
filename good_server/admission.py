"""Admission control decides who may open a connection.

It accepts or refuses each HTTP request of Socket.IO before a connection opens. It also closes a connection whose client
sends no valid token in time. Other modules close connections with `close_transport`, for example at a shutdown.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import hdrs, web

from .client_address import ClientAddresses
from .closing import CLOSE_REASON, close_soon
from .connection_limits import FULL_RETRY_SECONDS, ConnectionLimits
from .delivery_protocol import Delivery
from .handshake_request import Query, Refused, read_query, rewritten
from .observability import Metrics, log
from .settings import Settings

ARRIVED = web.RequestKey("arrived", float)
ADDRESS = web.RequestKey("address", str)
DELIVERY = web.RequestKey("delivery", Delivery)
# closes the connection when its client sends no valid token in time
HANDSHAKE_TIMER = web.RequestKey("handshake_timer", asyncio.TimerHandle)
SESSION = web.RequestKey("session", str)
# ends a session of long polling, which is more than its first HTTP request
END_SESSION: web.RequestKey[Callable[[], None]] = web.RequestKey("end_session")
# nobody reads this status: the client left during its own handshake
CLIENT_CLOSED_REQUEST = 499
ADDRESS_RETRY_SECONDS = 10.0


def close_transport(environ: dict[str, Any], reason: str | None = None) -> None:
    """Close the transport of a connection, after its last messages are sent.

    `reason` is stored for the log. If a reason is already stored, the earlier reason is kept. This function is used
    instead of a Socket.IO DISCONNECT, because a standard JavaScript client never reconnects after a DISCONNECT by the
    server.
    """
    request: web.Request = environ["aiohttp.request"]
    if reason is not None and CLOSE_REASON not in request:
        request[CLOSE_REASON] = reason
    if DELIVERY in request:
        request[DELIVERY].flush(request)
    if END_SESSION in request:
        request[END_SESSION]()
    if request.transport is not None:
        close_soon(request.transport)


def is_closing(environ: dict[str, Any]) -> bool:
    """Return whether the connection's transport is closed or is being closed."""
    transport = environ["aiohttp.request"].transport
    return transport is None or bool(transport.is_closing())


def address_in(environ: dict[str, Any]) -> str:
    """Return the client's IP address, which was stored at the handshake."""
    return str(environ["aiohttp.request"][ADDRESS])


def age_seconds(environ: dict[str, Any]) -> float:
    """Return the connection's age in seconds, counted from its first HTTP request."""
    return time.monotonic() - float(environ["aiohttp.request"][ARRIVED])


def begin_handshake(environ: dict[str, Any], seconds: float) -> None:
    """Start a timer that closes the connection after `seconds`. `end_handshake` cancels the timer."""
    loop = asyncio.get_running_loop()
    environ["aiohttp.request"][HANDSHAKE_TIMER] = loop.call_later(seconds, close_transport, environ, "handshake")


def end_handshake(environ: dict[str, Any]) -> None:
    """Cancel the time limit of the handshake, which `begin_handshake` has set."""
    environ["aiohttp.request"][HANDSHAKE_TIMER].cancel()


class Admission:
    """Accepts or refuses an HTTP request before it becomes a WebSocket.

    A temporary refusal (overload, shutdown) is an HTTP error response with the header `Retry-After`. Standard Socket.IO
    clients retry by themselves after such a response. They never retry after a CONNECT_ERROR, so this class does not
    use a CONNECT_ERROR for a temporary refusal.
    """

    def __init__(
        self, settings: Settings, limits: ConnectionLimits, delivery: Delivery, metrics: Metrics, eio: Any
    ) -> None:
        self._settings = settings
        self._limits = limits
        self._delivery = delivery
        self._metrics = metrics
        self._eio = eio
        self._addresses = ClientAddresses(settings.trusted_proxies)
        self._ending: set[asyncio.Task[None]] = set()
        self.is_draining = False
        eio.on("connect", self._note_session(eio.handlers["connect"]))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Check an HTTP request of Socket.IO, and return the response.

        This is the handler of the HTTP route for Socket.IO. So the checks also apply if the function `attach` adds the
        server to another aiohttp application, below a path prefix.
        """
        origin = request.headers.get(hdrs.ORIGIN)
        is_allowed = origin is None or self._settings.allows_origin(origin, request.host)
        try:
            if not is_allowed:
                raise Refused(403, "origin", "this origin is not allowed", setting="SERVER_ALLOWED_ORIGINS")
            response = await self._handle(request)
        except Refused as refused:
            response = self._answer(request, refused)
        except ConnectionResetError:
            return web.Response(status=CLIENT_CLOSED_REQUEST)
        if not response.prepared and is_allowed:
            response.headers[hdrs.VARY] = hdrs.ORIGIN
            if origin is not None:
                response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        return response

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        query = read_query(request)
        if query.transport not in self._settings.transports:
            sentence = "This server speaks WebSocket only: set transports to ['websocket'] in the client."
            raise Refused(400, "transport", sentence, setting="SERVER_TRANSPORTS")
        if request.method == hdrs.METH_OPTIONS:
            return web.Response(headers={hdrs.ACCESS_CONTROL_ALLOW_HEADERS: hdrs.CONTENT_TYPE})
        request = rewritten(request, query)
        if query.sid:
            # its session was counted when it was opened
            if "polling" not in self._settings.transports or query.sid not in self._eio.sockets:
                raise Refused(400, "session", "there is no such session")
            return await self._hand_over(request, query)
        if request.method != hdrs.METH_GET:
            raise Refused(405, "method", "a connection is opened with GET")
        return await self._open(request, query)

    async def _open(self, request: web.Request, query: Query) -> web.StreamResponse:
        """Serve a new WebSocket until it closes. For long polling, serve only the first request."""
        address = self._addresses.of_request(request)
        request[ADDRESS], request[ARRIVED], request[DELIVERY] = address, time.monotonic(), self._delivery
        if query.transport == "websocket":
            # before it is counted: what is no handshake costs honest clients nothing
            self._check_handshake(request)
        with self._limits.counted(address) as publish_count:
            await self._check_load(address)
            publish_count()
            return await self._serve(request, query)

    def _check_handshake(self, request: web.Request) -> None:
        try:
            self._delivery.handshake(request)
        except web.HTTPBadRequest as malformed:
            raise Refused(400, "handshake", malformed.text or "") from None

    async def _serve(self, request: web.Request, query: Query) -> web.StreamResponse:
        environ = {"aiohttp.request": request}
        begin_handshake(environ, self._settings.handshake_seconds)
        try:
            return await self._hand_over(request, query)
        finally:
            if query.transport == "websocket":
                end_handshake(environ)

    async def _hand_over(self, request: web.Request, query: Query) -> web.StreamResponse:
        """Let python-engineio serve a request, and return the response.

        After a WebSocket has ended, delete its Engine.IO session and close its transport.
        """
        try:
            return await self._eio.handle_request(request)  # type: ignore[no-any-return]
        except (LookupError, ValueError):
            # the library's own path ends like this after a packet that it cannot read
            return web.Response(status=400)
        finally:
            if query.transport == "websocket":
                self._end_session(request.get(SESSION, query.sid))
                if request.transport is not None:
                    close_soon(request.transport)

    async def _check_load(self, address: str) -> None:
        """Raise `Refused` if the server cannot accept a new connection now.

        The reasons are a shutdown, too many connections, or too many new connections per second. There is a limit for
        each client `address`, and a limit for all clients together.
        """
        limits = self._limits
        if self.is_draining:
            raise Refused(503, "draining", "the server is shutting down", retry_seconds=2)
        if await limits.is_address_full(address):
            setting = "SERVER_SOCKETS_PER_ADDRESS"
            text = "too many connections from this address"
            raise Refused(429, "address", text, retry_seconds=ADDRESS_RETRY_SECONDS, setting=setting)
        if limits.is_full():
            text, setting = "the server is busy", "SERVER_CONNECTIONS"
            raise Refused(503, "full", text, retry_seconds=FULL_RETRY_SECONDS, setting=setting)
        if wait := limits.address_wait_seconds(address):
            text, setting = "too many new connections from this address", "SERVER_CONNECTS_PER_SECOND_PER_ADDRESS"
            raise Refused(429, "address_rate", text, retry_seconds=wait, setting=setting)
        if wait := limits.wait_seconds():
            text, setting = "the server is busy", "SERVER_CONNECTS_PER_SECOND"
            raise Refused(503, "rate", text, retry_seconds=wait, setting=setting)

    def _answer(self, request: web.Request, refused: Refused) -> web.Response:
        """Count and log a refused request, and return the HTTP response. The connection closes after this response."""
        self._metrics.connects.labels(f"http_{refused.status}").inc()
        setting = {} if refused.setting is None else {"setting": refused.setting}
        address = self._addresses.of_request(request)
        log.info("refused", status=refused.status, reason=refused.reason, address=address, **setting)
        response = web.Response(status=refused.status, text=refused.text, headers=refused.headers)
        response.force_close()
        return response

    def _note_session(self, connect: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Wrap `connect`, the handler that python-engineio calls for a new session.

        The returned handler stores the session's id in the HTTP request, then calls `connect`.
        """

        async def connected(session: str, environ: dict[str, Any]) -> Any:
            request: web.Request = environ["aiohttp.request"]
            request[SESSION] = session
            if request.query["transport"] == "polling":
                request[END_SESSION] = lambda: self._end_session(session)
            return await connect(session, environ)

        return connected

    def _end_session(self, session: str) -> None:
        async def end(socket: Any) -> None:
            # not the library's own function, which waits until the client has asked for its last packets
            await socket.close(wait=False)
            self._eio.sockets.pop(session, None)

        if session in self._eio.sockets:
            task = asyncio.get_running_loop().create_task(end(self._eio.sockets[session]))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
