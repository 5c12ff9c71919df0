"""Admission control decides who may open a connection. This module also closes connections."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from aiohttp import hdrs, web

from .client_address import ClientAddresses
from .closing import CLOSE_REASON, close_soon
from .connection_limits import FULL_RETRY_SECONDS, ConnectionLimits
from .delivery_protocol import Delivery
from .observability import Metrics, log
from .settings import Settings

ENGINE_IO = "4"
ARRIVED = web.RequestKey("arrived", float)
ADDRESS = web.RequestKey("address", str)
DELIVERY = web.RequestKey("delivery", Delivery)
# closes the connection when its client sends no valid token in time
HANDSHAKE_TIMER = web.RequestKey("handshake_timer", asyncio.TimerHandle)
# ends a session of long polling, which is more than its first HTTP request
END_SESSION = web.RequestKey("end_session", Callable[[], None])
# nobody reads this status: the client left during its own handshake
CLIENT_CLOSED_REQUEST = 499
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def close_transport(environ: dict[str, Any], reason: str | None = None) -> None:
    """Close the transport of a connection, after its last messages are sent. The first `reason` is logged.

    A Socket.IO disconnect would leave the transport open, and a standard JavaScript client would never reconnect.
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


def age_seconds(environ: dict[str, Any]) -> float:
    """Return the seconds since the HTTP request of this connection arrived."""
    return time.monotonic() - float(environ["aiohttp.request"][ARRIVED])


def end_handshake(environ: dict[str, Any]) -> None:
    """End the time limit for a valid token. A check that has begun has a deadline of its own."""
    environ["aiohttp.request"][HANDSHAKE_TIMER].cancel()


class Query(NamedTuple):
    """The query of a Socket.IO request. `sid` is empty for a new connection."""

    transport: str
    sid: str


class Admission:
    """Accepts or refuses an HTTP request before it becomes a WebSocket.

    A temporary refusal (overload, shutdown) is an HTTP status with `Retry-After`. Standard Socket.IO clients retry by
    themselves after an HTTP status, and never after a CONNECT_ERROR.
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
        self.is_draining = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Handle a Socket.IO request. The check belongs to this handler, so it holds under every path."""
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and not self._is_allowed(origin, request):
            setting = "SERVER_ALLOWED_ORIGINS"
            return self._refused(request, web.Response(status=403, text="this origin is not allowed"), setting=setting)
        response = await self._handle(request)
        if response.prepared:
            return response
        if origin is not None:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"
        response.headers[hdrs.VARY] = hdrs.ORIGIN
        return response

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        query = _read_query(request)
        if query is None:
            return self._refused(request, web.Response(status=400, text="the query of this request is ambiguous"))
        if query.transport not in self._settings.transports:
            sentence = "This server speaks WebSocket only: set transports to ['websocket'] in the client."
            return self._refused(request, web.Response(status=400, text=sentence), setting="SERVER_TRANSPORTS")
        if request.method == "OPTIONS":
            return web.Response(headers={hdrs.ACCESS_CONTROL_ALLOW_HEADERS: hdrs.CONTENT_TYPE})
        request = _rewritten(request, query)
        if query.sid:
            # a known session was counted when it was opened
            is_known = "polling" in self._settings.transports and query.sid in self._eio.sockets
            if is_known:
                return await self._eio.handle_request(request)  # type: ignore[no-any-return]
            return self._refused(request, web.Response(status=400, text="there is no such session"))
        if request.method != "GET":
            return self._refused(request, web.Response(status=405, text="a connection is opened with GET"))
        return await self._open(request, query)

    async def _open(self, request: web.Request, query: Query) -> web.StreamResponse:
        """Open a connection, and return when it has ended. Long polling returns at once."""
        address = self._addresses.of_request(request)
        request[ADDRESS], request[ARRIVED], request[DELIVERY] = address, time.monotonic(), self._delivery
        try:
            if query.transport == "websocket":
                self._delivery.handshake(request)
        except web.HTTPBadRequest as malformed:
            refusal = web.Response(status=400, text=malformed.text, headers=malformed.headers)
            return self._refused(request, refusal)
        except ConnectionResetError:
            return web.Response(status=CLIENT_CLOSED_REQUEST)
        with self._limits.counted(address) as publish_count:
            refusal = await self._overload(address)
            if refusal is not None:
                return self._refused(request, refusal)
            publish_count()
            return await self._serve(request, query)

    async def _serve(self, request: web.Request, query: Query) -> web.StreamResponse:
        environ, seconds = {"aiohttp.request": request}, self._settings.handshake_seconds
        timer = asyncio.get_running_loop().call_later(seconds, close_transport, environ, "handshake")
        request[HANDSHAKE_TIMER] = timer
        try:
            return await self._eio.handle_request(request)  # type: ignore[no-any-return]
        except ConnectionResetError:
            return web.Response(status=CLIENT_CLOSED_REQUEST)
        finally:
            if query.transport == "websocket":
                timer.cancel()

    async def _overload(self, address: str) -> web.Response | None:
        if self.is_draining:
            return _retry_later(503, 2, "the server is shutting down")
        if await self._limits.is_address_full(address):
            return _retry_later(429, 10, "too many connections from this address")
        if self._limits.is_full():
            return _retry_later(503, FULL_RETRY_SECONDS, "the server is busy")
        wait = self._limits.address_wait_seconds(address)
        if wait:
            return _retry_later(429, wait, "too many new connections from this address")
        wait = self._limits.wait_seconds()
        return _retry_later(503, wait, "the server is busy") if wait else None

    def _refused(
        self, request: web.Request, response: web.Response, *, setting: str | None = None
    ) -> web.StreamResponse:
        """Count and log a refusal, and close its connection after the answer."""
        self._metrics.connects.labels(f"http_{response.status}").inc()
        named = {"setting": setting} if setting is not None else {}
        address = self._addresses.of_request(request)
        log.info("refused", status=response.status, reason=response.text, address=address, **named)
        response.force_close()
        return response

    def _is_allowed(self, origin: str, request: web.Request) -> bool:
        # by default the same origin; not the forwarded host, as any client may write that header
        allowed = self._settings.allowed_origins or (f"http://{request.host}", f"https://{request.host}")
        return "*" in allowed or origin in allowed


def _read_query(request: web.Request) -> Query | None:
    """Return the query of a Socket.IO request. Return None if two parsers could read it differently."""
    given = {name: request.query.getall(name, [""]) for name in ("EIO", "transport", "sid")}
    if any(len(values) > 1 for values in given.values()) or given["EIO"] != [ENGINE_IO]:
        return None
    sid = given["sid"][0]
    if "sid" in request.query and not (sid.isascii() and sid.replace("-", "").replace("_", "").isalnum()):
        return None
    return Query(given["transport"][0] or "polling", sid)


def _rewritten(request: web.Request, query: Query) -> web.Request:
    """Return the request with the checked query alone, and without an offer of compression."""
    headers = request.headers.copy()
    # aiohttp would accept an offer of permessage-deflate, which costs about 250 KB per connection
    headers.popall(hdrs.SEC_WEBSOCKET_EXTENSIONS, None)
    checked = {"EIO": ENGINE_IO, "transport": query.transport} | ({"sid": query.sid} if query.sid else {})
    return request.clone(rel_url=request.rel_url.with_query(checked), headers=headers)


def _retry_later(status: int, seconds: float, reason: str) -> web.Response:
    return web.Response(status=status, text=reason, headers={hdrs.RETRY_AFTER: str(max(1, round(seconds)))})
