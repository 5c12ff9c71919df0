"""Answers for one WebSocket from its handshake to its end: its bytes come straight from the transport.

aiohttp reads the HTTP request; from the upgrade on the transport talks to the protocol here, so that no frame passes
through a queue, a future and a message object of the web framework's before it is looked at.
"""

import asyncio
import base64
import binascii
import hashlib

from aiohttp import hdrs, web

from ..delivery import reading
from ..delivery.frames import control_frame
from ..delivery.send_queue import SendQueue
from ..delivery.frame_reader import FrameError, FrameReader, Message

# RFC 6455, 1.3: fixed, so that only who speaks WebSocket can answer
ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY_BYTES = 16
# what may wait behind a slow handler before nothing more is read: a few events of the largest size, not a flood
BACKLOG_BYTES = 64 * 1024
# messages of one connection in a row before the others have their turn
TURN_MESSAGES = 32
# a peer that is gone does not answer a close; one that still sends would not see it, were its bytes not taken
CLOSE_SECONDS = 1.0


def accept_key(request: web.Request) -> str:
    """The answer to a handshake (RFC 6455, 4.2.2); raises `HTTPBadRequest` when it is not one."""
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
    """The transport's protocol after the upgrade. `message` gives one message at a time; what waits is bounded."""

    def __init__(self, request: web.Request, most_bytes: int) -> None:
        """Judges the handshake; raises `HTTPBadRequest` or `ConnectionResetError`."""
        self._accept = accept_key(request)
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the peer left during its handshake")
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        # aiohttp keeps count of its connections: it has to hear of this one's end
        self._http = request.protocol
        self._reader = FrameReader(most_bytes)
        self._outbox: SendQueue | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._is_paused = False
        self._is_closing = False
        self.is_lost = False

    def open(self, outbox: SendQueue, greeting: bytes) -> None:
        """Answers the handshake, says the first frame, and takes over; what is sent from now on goes by `outbox`."""
        # gives what came together with the request
        self._http.set_parser(self)  # type: ignore[arg-type]  # anything that can be fed
        self._transport.set_protocol(self)
        self._outbox = outbox
        # nothing but the handshake is agreed on: no subprotocol, no compression
        answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        outbox.open(self._transport, f"{answer}Sec-WebSocket-Accept: {self._accept}\r\n\r\n".encode() + greeting)

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """What aiohttp asks of a parser."""
        self.data_received(data)
        return False, b""

    def feed_eof(self) -> None:
        """What aiohttp asks of a parser."""

    def data_received(self, data: bytes) -> None:
        if self._is_closing:
            return
        self._reader.feed(data)
        if self._waiter is not None:
            if not self._waiter.done():
                self._waiter.set_result(None)
        elif self._reader.waiting_bytes > BACKLOG_BYTES and not self._is_paused:
            # a slow handler holds back its own client, and no one else
            self._is_paused = True
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._http.connection_lost(exc)

    async def message(self) -> Message | None:
        """The next TEXT or BINARY message, None when there will be none; control frames are answered here."""
        while not self.is_lost and not self._is_closing:
            try:
                message = self._reader.next()
            except FrameError as error:
                self._say_goodbye(error.code)
                break
            if message is None:
                await self._more()
            elif message.kind in (reading.TEXT, reading.BINARY):
                return message
            elif message.kind == reading.PING:
                self._write(reading.PONG, message.data)
            elif message.kind == reading.CLOSE:
                self._say_goodbye(reading.NORMAL)
                self._transport.close()
        return None

    async def _more(self) -> None:
        self._waiter = self._loop.create_future()
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def close(self) -> None:
        """Says goodbye if nobody has yet, and gives the peer a moment to read it; at the end it is lost."""
        if self._outbox is None:
            return
        if not self.is_lost and not self._transport.is_closing():
            self._say_goodbye(reading.NORMAL)
            timer = self._loop.call_later(CLOSE_SECONDS, self._transport.abort)
            await self._more()
            timer.cancel()

    def _say_goodbye(self, code: int) -> None:
        """A close frame; from now on nothing is read but thrown away."""
        if self._is_closing or self._transport.is_closing():
            return
        self._is_closing = True
        self._write(reading.CLOSE, code.to_bytes(2, "big"))

    def _write(self, kind: int, payload: bytes) -> None:
        """A control frame: not gathered, as the peer waits for it or is about to go."""
        if self._outbox is not None:
            self._outbox.write(control_frame(kind, payload))
            self._outbox.flush()
