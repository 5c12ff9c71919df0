"""Answers for the connection below Socket.IO: who may open one, and how one is closed for good."""

import ipaddress
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import hdrs, web

from good_server.delivery.websocket import OUTBOX
from good_server.limits import Doors
from good_server.observe import Metrics
from good_server.settings import Settings

SOCKETIO_PATH = "/socket.io/"
ARRIVED = web.RequestKey("arrived", float)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def hang_up(environ: dict[str, Any]) -> None:
    """Closes a connection's transport once what was written to it is sent.

    A Socket.IO disconnect would leave the transport open, and a stock JavaScript client would never come back.
    """
    request: web.Request = environ["aiohttp.request"]
    if OUTBOX in request:
        request[OUTBOX].flush()
    if request.transport is not None:
        request.transport.close()


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

    def __init__(self, settings: Settings, doors: Doors, metrics: Metrics) -> None:
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
            refusal = self._refusal(request)
            if refusal is not None:
                self._metrics.connects.labels(f"http_{refusal.status}").inc()
                return refusal
            with self._doors.passage(self.address_of(request)):
                request[ARRIVED] = time.monotonic()
                return await handler(_without_compression(request))

        return admit

    def _refusal(self, request: web.Request) -> web.Response | None:
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
        return self._overload(request)

    def _overload(self, request: web.Request) -> web.Response | None:
        if self.is_closing:
            return _come_back(503, 2, "the server is shutting down")
        if self._doors.is_crowded(self.address_of(request)):
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
        """The peer's address, or what a trusted proxy says it is: the last hop that no such proxy added."""
        address = request.remote or ""
        hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
        while hops and self._is_proxy(address):
            address = hops.pop()
        return address

    def _is_proxy(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._proxies)


def _come_back(status: int, seconds: float, why: str) -> web.Response:
    return web.Response(status=status, text=why, headers={hdrs.RETRY_AFTER: str(max(1, round(seconds)))})


def _without_compression(request: web.Request) -> web.Request:
    """permessage-deflate costs about 250 KB a connection, and aiohttp negotiates it with whoever offers it."""
    headers = request.headers.copy()
    headers.popall(hdrs.SEC_WEBSOCKET_EXTENSIONS, None)
    return request.clone(headers=headers)
