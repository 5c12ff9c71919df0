"""Listens on a port. Each accepted connection is counted and has a deadline for its first request."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import http_exceptions, web

from .client_address import ClientAddresses
from .connection_limits import ConnectionLimits
from .observability import log
from .runtime import cannot_listen
from .settings import Settings

# aiohttp waits this long for the rest of a request that was already answered
LINGERING_SECONDS = 1.0
# Connections that may wait for their accept, as in aiohttp. All of them are accepted in one turn of the event loop.
BACKLOG = 128
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HttpLog(logging.LoggerAdapter[logging.Logger]):
    """The log of aiohttp without the text of malformed requests. Such a text may contain a token."""

    def exception(self, msg: object, *args: object, exc_info: Any = True, **kwargs: Any) -> None:
        """Log an exception. If the client caused it, log one line without a traceback."""
        if isinstance(exc_info, http_exceptions.HttpProcessingError | web.RequestPayloadError | ConnectionError):
            log.info("bad request", error=type(exc_info).__name__)
            return
        super().exception(msg, *args, exc_info=exc_info, **kwargs)


class AcceptedConnection(asyncio.Protocol):
    """A TCP connection, from its accept until it ends.

    The connection is counted. It is closed if the limits on connections do not allow it, or if its first request does
    not arrive in time. All data is passed to aiohttp's handler.
    """

    def __init__(self, listener: "Listener") -> None:
        self._listener = listener
        self._handler = listener.new_handler()
        self._address: str | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # a unix socket has no address
        peer = transport.get_extra_info("peername") or ("",)
        self._address, may_stay = self._listener.accept(str(peer[0]))
        self._handler.connection_made(transport)
        # aiohttp's own timer would give the first request only the time of an idle connection
        self._handler.keep_alive(True)
        close = transport.abort  # type: ignore[attr-defined]  # always a transport that can write
        if not may_stay:
            close()
            return
        self._deadline = asyncio.get_running_loop().call_later(self._listener.header_seconds, close)

    def request_arrived(self) -> None:
        """Cancel the deadline for the first request. aiohttp itself limits the wait for the next request."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def data_received(self, data: bytes) -> None:
        self._handler.data_received(data)

    def eof_received(self) -> None:
        self._handler.eof_received()

    def pause_writing(self) -> None:
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._handler.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self.request_arrived()
        self._listener.lose(self._address)
        self._handler.connection_lost(exc)


@web.middleware
async def note_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Cancel the deadline for a connection's first request, which has arrived.

    Then `handler`, the next handler of the middleware chain, is called, and its response is returned. For later
    requests of the connection, there is no deadline to cancel.
    """
    accepted = request.transport.get_protocol() if request.transport is not None else None
    # a team may serve the application with a listener of its own
    if isinstance(accepted, AcceptedConnection):
        accepted.request_arrived()
    return await handler(request)


class Listener:
    """Serves an HTTP application on one port."""

    def __init__(self, app: web.Application, settings: Settings, limits: ConnectionLimits | None = None) -> None:
        self.header_seconds = settings.header_seconds
        self._addresses = ClientAddresses(settings.trusted_proxies)
        self._limits = limits
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=1.0,
            keepalive_timeout=settings.keep_alive_seconds,
            lingering_time=LINGERING_SECONDS,
            logger=HttpLog(logging.getLogger("aiohttp.server")),
        )
        self._server: asyncio.Server | None = None
        self.url = ""

    async def start(self, host: str, port: int, *, reuse_port: bool = False) -> None:
        """Listen on `host` and `port`. If this fails, raise an `OSError` that names the address."""
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: AcceptedConnection(self), host, port, reuse_port=reuse_port or None, backlog=BACKLOG
            )
        except OSError as error:
            await self._runner.cleanup()
            raise cannot_listen(error, host, port) from None
        bound, number = self._server.sockets[0].getsockname()[:2]
        self.url = f"http://[{bound}]:{number}" if ":" in bound else f"http://{bound}:{number}"

    def stop_accepting(self) -> None:
        """Accept no new connection. Open connections stay open."""
        if self._server is not None:
            self._server.close()

    async def stop(self) -> None:
        """Close the port and all its connections."""
        self.stop_accepting()
        await self._runner.cleanup()

    def new_handler(self) -> web.RequestHandler:
        """Return aiohttp's handler for one more connection."""
        server = self._runner.server
        if server is None:
            raise RuntimeError("the listener was not started")
        return server()

    def accept(self, peer: str) -> tuple[str | None, bool]:
        """Count a TCP connection. Return the client's address, and whether the limits allow the connection.

        `peer` is the IP address at the other end. If it is IPv6, the returned address is its /64 network. If `peer` is
        a trusted proxy, the returned address is None.
        """
        address = self._addresses.of_peer(peer)
        return address, self._limits is None or self._limits.accept(address)

    def lose(self, address: str | None) -> None:
        """Stop counting a TCP connection. `address` is what `accept` returned."""
        if self._limits is not None:
            self._limits.lose(address)
