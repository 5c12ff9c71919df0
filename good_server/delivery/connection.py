"""One WebSocket connection that reads its asyncio transport directly.

aiohttp reads only the HTTP request. After the upgrade the transport passes the bytes to `Connection`, which uses the
library websockets to parse the frames. So no frame passes through the queues, futures and message objects of aiohttp.
"""

import asyncio
import logging
from collections import deque

from aiohttp import web
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side
from websockets.typing import BytesLike

from ..close_reasons import CloseReason, note_reason
from ..closing import CLOSE_REASON, LINGER_SECONDS, close_soon
from ..packet_budget import charge
from .handshake import accept
from .send_queue import SendQueue

# Bytes that are parsed in a row. A slice with many frames takes long, so the next one is small; a slice of one large
# frame takes no time, so the next one is larger.
SMALL_SLICE_BYTES, LARGE_SLICE_BYTES = 256, 16 * 1024
FRAMES_PER_SLICE = 8
# reading pauses when more than this waits for a slow handler: a few events of the largest size, not a flood
BACKLOG_BYTES = 64 * 1024
# messages of one connection in a row, before the other connections get their turn
MESSAGES_PER_TURN = 32
# a fragment as small as a control frame carries next to nothing
TINY_BYTES = 125
TEXT, BINARY = Opcode.TEXT, Opcode.BINARY
CONTROL = (Opcode.CLOSE, Opcode.PING, Opcode.PONG)
FLOOD = "flood"
# a few pings in a row get an answer each
PONGS_PER_SLICE = 16
PONG_HEAD = Frame(Opcode.PONG, b"").serialize(mask=False)[:1]

logger = logging.getLogger(__name__)
# the library logs every closed connection as information
logger.setLevel(logging.WARNING)


class Connection(asyncio.Protocol):
    """The asyncio protocol of one WebSocket connection. It limits the received bytes that wait for a slow handler."""

    def __init__(self, request: web.Request, max_bytes: int) -> None:
        """Check the WebSocket handshake in `request`.

        `max_bytes` limits the size of each message from the client. Raises `HTTPBadRequest` if the handshake is
        malformed, and `ConnectionResetError` if the client has left.
        """
        self._request = request
        self._answer = accept(request)
        # stored, as Python 3.11 makes a system call at each `get_running_loop`
        self._loop = asyncio.get_running_loop()
        # the class of both sides: the server's own adds only the handshake, and a step to each frame
        self._websocket = Protocol(Side.SERVER, state=OPEN, max_size=max_bytes, logger=logger)
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the peer left during its handshake")
        self._transport = transport
        # aiohttp and the listener count connections, so they must learn when this one ends
        self._http = transport.get_protocol()
        self._send_queue: SendQueue | None = None
        self._backlog = bytearray()
        self._slice_bytes = SMALL_SLICE_BYTES
        self._frames: deque[Frame] = deque()
        # the fragments of a message so far; the first one names its kind
        self._parts = bytearray()
        self._is_text = False
        # the close frame that is sent after the messages before it were handled
        self._goodbye: bytes | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._is_paused = False
        self.is_lost = False

    def open(self, send_queue: SendQueue, first_frame: bytes) -> None:
        """Answer the handshake, send the first frame, and take over aiohttp's transport."""
        # aiohttp passes on the bytes that arrived together with the request
        self._request.protocol.set_parser(self)  # type: ignore[arg-type]  # only `feed_data` and `feed_eof` are called
        self._transport.set_protocol(self)
        self._send_queue = send_queue
        send_queue.open(self._transport, self._answer + first_frame)

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Store the bytes that aiohttp received with the request. The result tells aiohttp that no bytes are left."""
        self.data_received(data)
        return False, b""

    def feed_eof(self) -> None:
        """Do nothing; aiohttp requires this method of a parser."""

    def data_received(self, data: bytes) -> None:
        self._backlog += data
        # here, as the event loop may call this several times before the reading task runs
        if len(self._backlog) > BACKLOG_BYTES and not self._is_paused:
            # backpressure: a slow handler slows down its own client only
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        # the timer of its close holds this object for a moment longer
        self._backlog, self._parts = bytearray(), bytearray()
        self._frames.clear()
        self._wake()
        self._http.connection_lost(exc)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        # a task that was cancelled waits no more
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def receive(self) -> str | bytes | None:
        """Return the client's next message, or None at the connection's end. Also answer pings and close frames."""
        while not self.is_lost and not self._transport.is_closing():
            if self._frames:
                message = self._read(self._frames.popleft())
                if message is not None:
                    return message
            elif self._goodbye is not None:
                self._end()
            elif self._backlog:
                self._parse()
            else:
                await self._wait_for_data()
        return None

    def _parse(self) -> None:
        """Parse a slice of the waiting bytes into frames.

        If the slice has many pings, answer only the latest (RFC 6455, 5.5.3).
        """
        data = self._backlog
        if len(data) <= self._slice_bytes:
            # the usual case: nothing is copied
            self._backlog = bytearray()
        else:
            data = data[: self._slice_bytes]
            del self._backlog[: self._slice_bytes]
        self._websocket.receive_data(data)
        if self._websocket.parser_exc is not None:
            note_reason(self._request, CloseReason.MALFORMED)
        # a WebSocket that is open gives frames only
        frames: list[Frame] = self._websocket.events_received()  # type: ignore[assignment]
        if len(frames) > FRAMES_PER_SLICE:
            self._slice_bytes = SMALL_SLICE_BYTES
        elif self._slice_bytes < LARGE_SLICE_BYTES:
            self._slice_bytes *= 2
        self._frames += frames
        if to_send := self._websocket.data_to_send():
            self._answer_control_frames(to_send)

    def _answer_control_frames(self, to_send: list[bytes]) -> None:
        pongs = [data for data in to_send if data[:1] == PONG_HEAD]
        if pongs:
            self._write(b"".join(pongs if len(pongs) <= PONGS_PER_SLICE else pongs[-1:]))
        if len(pongs) == len(to_send):
            return
        # a close frame, or the empty end of the stream
        goodbye = b"".join(data for data in to_send if data[:1] != PONG_HEAD)
        received, sent = self._websocket.close_rcvd, self._websocket.close_sent
        if goodbye and received is not None and sent is not None and received.code != sent.code:
            # the library fails a connection that is closed between fragments; RFC 6455, 5.5.1, wants the code back
            code = b"" if received.code == CloseCode.NO_STATUS_RCVD else received.code.to_bytes(2, "big")
            goodbye = Frame(Opcode.CLOSE, code).serialize(mask=False)
        self._goodbye = (self._goodbye or b"") + goodbye

    def _read(self, frame: Frame) -> str | bytes | None:
        """Return the message that `frame` completes, or None if it completes none."""
        kind = frame.opcode
        if frame.fin and (kind is TEXT or kind is BINARY):
            return self._decoded(frame.data, is_text=kind is TEXT)
        if kind is not Opcode.CLOSE and len(frame.data) <= TINY_BYTES:
            self.charge()
        if kind is Opcode.CLOSE:
            note_reason(self._request, CloseReason.CLIENT_LEFT)
        if kind in CONTROL:
            return None
        if kind is not Opcode.CONT:
            self._is_text = kind is TEXT
        self._parts += frame.data
        if not frame.fin:
            return None
        whole, self._parts = self._parts, bytearray()
        return self._decoded(whole, is_text=self._is_text)

    def _decoded(self, data: BytesLike, *, is_text: bool) -> str | bytes | None:
        if not is_text:
            return bytes(data)
        try:
            return str(data, "utf-8")
        except UnicodeDecodeError:
            self.fail(CloseCode.INVALID_DATA)
            return None

    def charge(self) -> None:
        """Count a packet without a complete event, such as a ping. Close the connection after too many such packets."""
        if not charge(self._request):
            self._request[CLOSE_REASON] = FLOOD
            self.fail(CloseCode.POLICY_VIOLATION)

    async def _wait_for_data(self) -> None:
        waiter = self._waiter = self._loop.create_future()
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        await waiter

    def fail(self, code: CloseCode) -> None:
        """Close the connection with this code. Discard the client's messages that wait."""
        note_reason(self._request, CloseReason.MALFORMED)
        self._websocket.fail(code)
        self._frames.clear()
        self._goodbye = b"".join([self._goodbye or b"", *self._websocket.data_to_send()])

    async def close(self) -> None:
        """Close the connection, and return when it has ended.

        If the client does not answer the close frame within `LINGER_SECONDS`, the connection is aborted.
        """
        if self._send_queue is None:
            return
        timer = self._loop.call_later(LINGER_SECONDS, self._transport.abort)
        if self._websocket.state is OPEN and not self._transport.is_closing():
            self._websocket.send_close(CloseCode.NORMAL_CLOSURE)
            self._write(b"".join(self._websocket.data_to_send()))
        # nothing is served any more: only the peer's close frame matters, and it comes soon
        parsed = 0
        while not self.is_lost:
            if self._goodbye is not None or parsed > BACKLOG_BYTES:
                self._end()
            if self._backlog and not self._transport.is_closing():
                parsed += self._slice_bytes
                self._parse()
                self._frames.clear()
                await asyncio.sleep(0)
            else:
                await self._wait_for_data()
        timer.cancel()

    def _end(self) -> None:
        """Send the close frame and close the transport (RFC 6455, 7.1.1)."""
        if self._goodbye:
            self._write(self._goodbye)
        self._goodbye = None
        close_soon(self._transport)

    def _write(self, data: bytes) -> None:
        # a control frame is not batched: the peer waits for it, or the connection is about to end
        if self._send_queue is not None:
            self._send_queue.write(data)
            self._send_queue.flush()
