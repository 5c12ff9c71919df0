"""Answers for the connection below Socket.IO: who may open one, and how one is closed for good."""

import asyncio
import ipaddress
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import hdrs, http_exceptions, web

from .delivery.engine import OUTBOX
from .limits import ConnectionLimits
from .observability import Metrics, log
from .settings import Settings

SOCKETIO_PATH = "/socket.io/"
ARRIVED = web.RequestKey("arrived", float)
# a peer that reads takes its last messages in this time; one that is gone never would, and its transport would stay
LINGER_SECONDS = 1.0
# nobody is left to read it: the peer went during its own handshake
CLIENT_CLOSED_REQUEST = 499
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def close_transport(environ: dict[str, Any]) -> None:
    """Closes a connection's transport once what was written to it is sent.

    A Socket.IO disconnect would leave the transport open, and a stock JavaScript client would never come back.
    """
    request: web.Request = environ["aiohttp.request"]
    if OUTBOX in request:
        request[OUTBOX].flush()
    if request.transport is None:
        return
    request.transport.close()
    if request.transport.get_write_buffer_size():
        asyncio.get_running_loop().call_later(LINGER_SECONDS, request.transport.abort)


def is_gone(environ: dict[str, Any]) -> bool:
    """Whether the peer is known to be gone."""
    transport = environ["aiohttp.request"].transport
    return transport is None or bool(transport.is_closing())


def age_seconds(environ: dict[str, Any]) -> float:
    """How long ago this connection arrived."""
    return time.monotonic() - float(environ["aiohttp.request"][ARRIVED])


class Admission:
    """Decides over an HTTP request before it becomes a WebSocket.

    A passing refusal (overload, shutting down) is an HTTP status with `Retry-After`: stock clients come back after
    that by themselves, and never after a CONNECT_ERROR.
    """

    def __init__(self, settings: Settings, doors: ConnectionLimits, metrics: Metrics) -> None:
        self._settings = settings
        self._doors = doors
        self._metrics = metrics
        self._proxies = [ipaddress.ip_network(proxy, strict=False) for proxy in settings.trusted_proxies]
        self.is_closing = False

    def middleware(self) -> Any:
        """The aiohttp middleware that guards the Socket.IO path and leaves every other alone."""

        @web.middleware
        async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path != SOCKETIO_PATH:
                return await handler(request)
            refusal = await self._refusal(request)
            if refusal is not None:
                self._metrics.connects.labels(f"http_{refusal.status}").inc()
                return refusal
            with self._doors.passage(self.address_of(request)):
                request[ARRIVED] = time.monotonic()
                try:
                    return await handler(_without_compression(request))
                except ConnectionResetError:
                    return web.Response(status=CLIENT_CLOSED_REQUEST)

        return admit

    async def _refusal(self, request: web.Request) -> web.Response | None:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and not self._is_own(origin, request):
            return web.Response(status=403, text="this origin is not allowed")
        transport = request.query.get("transport", "polling")
        if transport not in self._settings.transports:
            sentence = "This server speaks WebSocket only: set transports to ['websocket'] in the client."
            cors = {hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin} if origin is not None else {}
            return web.Response(status=400, text=sentence, headers=cors | {hdrs.VARY: hdrs.ORIGIN})
        if "sid" in request.query:
            return None
        return await self._overload(request)

    async def _overload(self, request: web.Request) -> web.Response | None:
        if self.is_closing:
            return _come_back(503, 2, "the server is shutting down")
        if await self._doors.is_crowded(self.address_of(request)):
            return _come_back(429, 10, "too many connections from this address")
        wait = self._doors.wait_seconds()
        return _come_back(503, wait, "the server is busy") if wait else None

    def _is_own(self, origin: str, request: web.Request) -> bool:
        allowed = self._settings.allowed_origins
        if allowed:
            return "*" in allowed or origin in allowed
        # not the forwarded host: whoever connects may write that one
        return origin in (f"http://{request.host}", f"https://{request.host}")

    def address_of(self, request: web.Request) -> str:
        """Who is counted as one: the peer, or who a trusted proxy says it is, the last hop that no such proxy added."""
        address = _plain(request.remote or "") or ""
        # a proxy may add a header of its own instead of a word to the one that came: all of them, in order
        named = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
        hops = [hop.strip() for hop in named if hop.strip()]
        while hops and self._is_proxy(address):
            before = _plain(hops.pop())
            if before is None:
                break
            address = before
        return _counted(address)

    def _is_proxy(self, address: str) -> bool:
        return bool(address) and any(ipaddress.ip_address(address) in network for network in self._proxies)


class HttpLog(logging.LoggerAdapter[logging.Logger]):
    """aiohttp's log without its accounts of requests that are no HTTP: they quote them, tokens included."""

    def exception(self, msg: object, *args: object, exc_info: Any = True, **kwargs: Any) -> None:
        """One line, without a traceback, when the fault is the client's."""
        if isinstance(exc_info, http_exceptions.HttpProcessingError | ConnectionError):
            log.info("bad request", error=type(exc_info).__name__)
            return
        super().exception(msg, *args, exc_info=exc_info, **kwargs)


def _plain(written: str) -> str | None:
    """An address in its one form, without port, brackets or zone, so that nobody has two; None when it is none."""
    host = written.removeprefix("[").partition("]")[0] if written.startswith("[") else written
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


def _counted(address: str) -> str:
    """Of IPv6 the network: whoever has one address there has the other 2**64 of its site too (RFC 4291, 2.5.4)."""
    return str(ipaddress.ip_network((address, 64), strict=False)) if ":" in address else address


def _come_back(status: int, seconds: float, why: str) -> web.Response:
    return web.Response(status=status, text=why, headers={hdrs.RETRY_AFTER: str(max(1, round(seconds)))})


def _without_compression(request: web.Request) -> web.Request:
    """permessage-deflate costs about 250 KB a connection, and aiohttp negotiates it with whoever offers it."""
    headers = request.headers.copy()
    headers.popall(hdrs.SEC_WEBSOCKET_EXTENSIONS, None)
    return request.clone(headers=headers)
