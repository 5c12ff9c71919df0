"""Admission control decides who may open a connection. This module also closes connections."""

import asyncio
import ipaddress
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import hdrs, http_exceptions, web

from .closing import CLOSE_REASON
from .connection_limits import ConnectionLimits
from .delivery_protocol import Delivery
from .observability import Metrics, log
from .settings import Settings

SOCKETIO_PATH = "/socket.io/"
ARRIVED = web.RequestKey("arrived", float)
ADDRESS = web.RequestKey("address", str)
DELIVERY = web.RequestKey("delivery", Delivery)
# A peer that reads takes its last messages in this time. A peer that is gone never does, and its transport would stay.
LINGER_SECONDS = 1.0
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
    if request.transport is None:
        return
    request.transport.close()
    if request.transport.get_write_buffer_size():
        asyncio.get_running_loop().call_later(LINGER_SECONDS, request.transport.abort)


def is_closing(environ: dict[str, Any]) -> bool:
    """Return whether the connection's transport is closed or is being closed."""
    transport = environ["aiohttp.request"].transport
    return transport is None or bool(transport.is_closing())


def address_in(environ: dict[str, Any]) -> str:
    """Return the client's IP address, as `Admission.address_of` found it at the handshake."""
    return str(environ["aiohttp.request"][ADDRESS])


def age_seconds(environ: dict[str, Any]) -> float:
    """Return the seconds since the HTTP request of this connection arrived."""
    return time.monotonic() - float(environ["aiohttp.request"][ARRIVED])


class Admission:
    """Accepts or refuses an HTTP request before it becomes a WebSocket.

    A temporary refusal (overload, shutdown) is an HTTP status with `Retry-After`. Standard Socket.IO clients retry by
    themselves after an HTTP status, and never after a CONNECT_ERROR.
    """

    def __init__(self, settings: Settings, limits: ConnectionLimits, delivery: Delivery, metrics: Metrics) -> None:
        self._settings = settings
        self._limits = limits
        self._delivery = delivery
        self._metrics = metrics
        self._proxies = [ipaddress.ip_network(proxy, strict=False) for proxy in settings.trusted_proxies]
        self.is_draining = False

    def middleware(self) -> Any:
        """Return the aiohttp middleware that checks requests to `/socket.io/` only."""

        @web.middleware
        async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path != SOCKETIO_PATH:
                return await handler(request)
            refusal = await self._refusal(request)
            if refusal is not None:
                self._metrics.connects.labels(f"http_{refusal.status}").inc()
                return refusal
            address = self.address_of(request)
            with self._limits.counted(address):
                request[ADDRESS] = address
                request[ARRIVED] = time.monotonic()
                request[DELIVERY] = self._delivery
                try:
                    return await handler(_without_compression(request))
                except ConnectionResetError:
                    return web.Response(status=CLIENT_CLOSED_REQUEST)

        return admit

    async def _refusal(self, request: web.Request) -> web.Response | None:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and not self._is_allowed(origin, request):
            return web.Response(status=403, text="this origin is not allowed")
        if request.query.get("transport", "polling") not in self._settings.transports:
            sentence = "This server speaks WebSocket only: set transports to ['websocket'] in the client."
            cors = {hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin} if origin is not None else {}
            return web.Response(status=400, text=sentence, headers=cors | {hdrs.VARY: hdrs.ORIGIN})
        return None if "sid" in request.query else await self._overload(request)

    async def _overload(self, request: web.Request) -> web.Response | None:
        if self.is_draining:
            return _retry_later(503, 2, "the server is shutting down")
        if await self._limits.is_address_full(self.address_of(request)):
            return _retry_later(429, 10, "too many connections from this address")
        wait = self._limits.wait_seconds()
        return _retry_later(503, wait, "the server is busy") if wait else None

    def _is_allowed(self, origin: str, request: web.Request) -> bool:
        # by default the same origin; not the forwarded host, as any client may write that header
        allowed = self._settings.allowed_origins or (f"http://{request.host}", f"https://{request.host}")
        return "*" in allowed or origin in allowed

    def address_of(self, request: web.Request) -> str:
        """Return the IP address of a client, for the limit per address.

        It is the peer's address. Behind trusted proxies, it is the last one in `X-Forwarded-For` that is not of such a
        proxy. For IPv6, it is the network of 64 bits.
        """
        address = _canonical(request.remote or "") or ""
        # a proxy may add a second header instead of extending the first: join all of them, in order
        named = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
        hops = [hop.strip() for hop in named if hop.strip()]
        while hops and self._is_proxy(address) and (before := _canonical(hops.pop())) is not None:
            address = before
        # a client with one IPv6 address can use all 2**64 addresses of its network (RFC 4291, 2.5.4)
        return str(ipaddress.ip_network((address, 64), strict=False)) if ":" in address else address

    def _is_proxy(self, address: str) -> bool:
        return bool(address) and any(ipaddress.ip_address(address) in network for network in self._proxies)


class HttpLog(logging.LoggerAdapter[logging.Logger]):
    """The log of aiohttp without the text of malformed requests. Such a text may contain a token."""

    def exception(self, msg: object, *args: object, exc_info: Any = True, **kwargs: Any) -> None:
        """Log an exception. If the client caused it, log one line without a traceback."""
        if isinstance(exc_info, http_exceptions.HttpProcessingError | ConnectionError):
            log.info("bad request", error=type(exc_info).__name__)
            return
        super().exception(msg, *args, exc_info=exc_info, **kwargs)


def _canonical(written: str) -> str | None:
    """Return an IP address without port, brackets or zone. Return None for text that is no IP address."""
    host = written.removeprefix("[").partition("]")[0] if written.startswith("[") else written
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


def _retry_later(status: int, seconds: float, reason: str) -> web.Response:
    return web.Response(status=status, text=reason, headers={hdrs.RETRY_AFTER: str(max(1, round(seconds)))})


def _without_compression(request: web.Request) -> web.Request:
    # aiohttp would accept an offer of permessage-deflate, which costs about 250 KB per connection
    headers = request.headers.copy()
    headers.popall(hdrs.SEC_WEBSOCKET_EXTENSIONS, None)
    return request.clone(headers=headers)
