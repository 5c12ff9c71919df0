"""One WebSocket connection that reads its asyncio transport directly.

aiohttp reads only the HTTP request. After the upgrade the transport calls `Connection`, so no frame passes through the
queues, futures and message objects of aiohttp.
"""

import asyncio
import base64
import binascii
import hashlib

from aiohttp import hdrs, web

from ..close_reasons import CloseReason, note_reason
from .frame_reader import BINARY, CLOSE, NORMAL, PING, PONG, TEXT, FrameError, FrameReader, Message
from .frames import control_frame
from .send_queue import SendQueue

# fixed by RFC 6455, 1.3: the answer proves that the server speaks WebSocket
ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY_BYTES = 16
# reading pauses when more than this waits for a slow handler: a few events of the largest size, not a flood
BACKLOG_BYTES = 64 * 1024
# messages of one connection in a row, before the other connections get their turn
MESSAGES_PER_TURN = 32
# a lost peer never answers a close frame; a peer that still sends sees it only when its bytes are read
CLOSE_SECONDS = 1.0


def accept_key(request: web.Request) -> str:
    """Return the `Sec-WebSocket-Accept` of a handshake (RFC 6455, 4.2.2). Raise `HTTPBadRequest` if it is malformed."""
    headers = request.headers
    tokens = [token.strip() for token in headers.get(hdrs.CONNECTION, "").lower().split(",")]
    if "upgrade" not in tokens or headers.get(hdrs.UPGRADE, "").lower() != "websocket":
        raise web.HTTPBadRequest(text="this is not a WebSocket handshake")
    if headers.get(hdrs.SEC_WEBSOCKET_VERSION) != "13":
        raise web.HTTPBadRequest(text="WebSocket version 13 only", headers={hdrs.SEC_WEBSOCKET_VERSION: "13"})
    key = headers.get(hdrs.SEC_WEBSOCKET_KEY, "").strip()
    try:
        is_key = len(base64.b64decode(key, validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        is_key = False
    if not is_key:
        raise web.HTTPBadRequest(text="the handshake's key is malformed")
    digest = hashlib.sha1(key.encode() + ACCEPT_GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


class Connection(asyncio.Protocol):
    """The asyncio protocol of a WebSocket. It limits the bytes that wait for a slow handler."""

    def __init__(self, request: web.Request, max_bytes: int) -> None:
        """Check the handshake. Raise `HTTPBadRequest` if it is malformed, `ConnectionResetError` if the client left."""
        self._accept = accept_key(request)
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the peer left during its handshake")
        self._transport = transport
        self._request = request
        # aiohttp counts its connections, so it must learn when this one ends
        self._http = request.protocol
        self._reader = FrameReader(max_bytes)
        self._send_queue: SendQueue | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._is_paused = False
        self._is_closing = False
        self.is_lost = False

    def open(self, send_queue: SendQueue, first_frame: bytes) -> None:
        """Answer the handshake, send the first frame, and take over the transport."""
        # aiohttp passes on the bytes that arrived together with the request
        self._http.set_parser(self)  # type: ignore[arg-type]  # only `feed_data` and `feed_eof` are called
        self._transport.set_protocol(self)
        self._send_queue = send_queue
        # no subprotocol and no compression is negotiated
        answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        send_queue.open(self._transport, f"{answer}Sec-WebSocket-Accept: {self._accept}\r\n\r\n".encode() + first_frame)

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take the bytes that aiohttp received together with the request."""
        self.data_received(data)
        return False, b""

    def feed_eof(self) -> None:
        """Do nothing; aiohttp requires this method of a parser."""

    def data_received(self, data: bytes) -> None:
        if self._is_closing:
            return
        self._reader.feed(data)
        if self._waiter is not None:
            if not self._waiter.done():
                self._waiter.set_result(None)
        elif self._reader.waiting_bytes > BACKLOG_BYTES and not self._is_paused:
            # backpressure: a slow handler slows down its own client only
            self._is_paused = True
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._http.connection_lost(exc)

    async def receive(self) -> Message | None:
        """Return the next TEXT or BINARY message, or None after the last. This also answers control frames."""
        while not self.is_lost and not self._is_closing:
            try:
                message = self._reader.next()
            except FrameError as error:
                note_reason(self._request, CloseReason.MALFORMED)
                self._send_close(error.code)
                break
            if message is None:
                await self._wait_for_data()
            elif message.kind in (TEXT, BINARY):
                return message
            elif message.kind == PING:
                self._write(PONG, message.data)
            elif message.kind == CLOSE:
                note_reason(self._request, CloseReason.CLIENT_LEFT)
                self._send_close(NORMAL)
                self._transport.close()
        return None

    async def _wait_for_data(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def close(self) -> None:
        """Send a close frame, and wait a moment until the peer disconnects."""
        if self._send_queue is None or self.is_lost or self._transport.is_closing():
            return
        self._send_close(NORMAL)
        timer = asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._transport.abort)
        await self._wait_for_data()
        timer.cancel()

    def _send_close(self, code: int) -> None:
        """Send a close frame, but only once. Bytes that arrive later are discarded."""
        if self._is_closing or self._transport.is_closing():
            return
        self._is_closing = True
        self._write(CLOSE, code.to_bytes(2, "big"))

    def _write(self, kind: int, payload: bytes) -> None:
        # a control frame is not batched: the peer waits for it, or the connection is about to end
        if self._send_queue is not None:
            self._send_queue.write(control_frame(kind, payload))
            self._send_queue.flush()
