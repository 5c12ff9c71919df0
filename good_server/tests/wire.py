"""WebSockets without a Socket.IO library, and functions that build frames."""

import asyncio
import contextlib
import json
import socket
import struct
from urllib.parse import urlsplit

import aiohttp

from .waiting import WAIT_SECONDS

SOCKETIO = "/socket.io/?EIO=4&transport=websocket"
UPGRADE_HEADERS = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
# the answer to that key: the example of RFC 6455, 1.3
ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
UPGRADE = "".join(
    [
        f"GET {SOCKETIO} HTTP/1.1\r\nHost: localhost\r\n",
        *(f"{name}: {value}\r\n" for name, value in UPGRADE_HEADERS.items()),
        "\r\n",
    ]
)
CONTINUED, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN = 0x80
# l_onoff, l_linger: closing sends RST instead of FIN
RESET = struct.pack("ii", 1, 0)
SLOW_RECEIVE_BYTES = 4096


def client_frame(payload, *, kind=TEXT, fin=True, announced=None, key=b"\0\0\0\0"):
    """Return one masked WebSocket frame, as a client sends it.

    `announced` is the length in the frame's header, which may be wrong. `kind` may have reserved bits. The default
    `key` leaves the payload as it is.
    """
    data = payload.encode() if isinstance(payload, str) else payload
    size = len(data) if announced is None else announced
    if size < 126:
        length = bytes([0x80 | size])
    else:
        length = b"\xfe" + size.to_bytes(2, "big") if size < 1 << 16 else b"\xff" + size.to_bytes(8, "big")
    masked = bytes(byte ^ key[at % 4] for at, byte in enumerate(data)) if any(key) else data
    return bytes([kind | (FIN if fin else 0)]) + length + key + masked


def event_text(event, data, *, id=""):
    """Return the text of a frame that sends an event.

    With an `id`, the server answers the event with an ack.
    """
    return f"42{id}{json.dumps([event, data])}"


def address_of(url):
    """Return the host and the port of a URL."""
    parts = urlsplit(url)
    return parts.hostname, parts.port


async def upgraded(http, server, *, path=SOCKETIO, **headers):
    """Ask the server for an upgrade to WebSocket. Return the status and the headers of its answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.get(server.url + path, headers=UPGRADE_HEADERS | named, allow_redirects=False) as answer:
        if answer.status == 101:
            answer.close()
        return answer.status, answer.headers


class Wire:
    """A WebSocket of aiohttp without a Socket.IO library.

    Its frames are Engine.IO texts, such as `42[...]` for an event.
    """

    def __init__(self, websocket):
        self.websocket = websocket

    async def send(self, frame):
        await (self.websocket.send_bytes if isinstance(frame, bytes) else self.websocket.send_str)(frame)

    async def frame(self):
        """Return the next text frame, or None once the server has closed."""
        message = await self.websocket.receive(timeout=WAIT_SECONDS)
        return message.data if message.type is aiohttp.WSMsgType.TEXT else None

    async def ack(self, id):
        """Return the ack with this id. Other frames before it are skipped."""
        while not (frame := await self.frame() or "closed").startswith(f"43{id}["):
            assert frame != "closed"
        return json.loads(frame.removeprefix(f"43{id}"))[0]

    async def is_closed(self):
        while await self.frame() is not None:
            pass
        return True


class Bare:
    """A WebSocket whose bytes the test reads and writes itself."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.close_code = reader, writer, None

    @classmethod
    async def open(cls, url, token=None, *, receive_bytes=None):
        """Open a WebSocket to the server at `url`.

        With a token, it has sent CONNECT and was accepted. Raises `OSError` when the server refuses it.
        """
        # asyncio sets TCP_NODELAY only if the protocol is named
        raw = socket.socket(proto=socket.IPPROTO_TCP)
        if receive_bytes:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        raw.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(raw, address_of(url))
        except OSError:
            raw.close()
            raise
        bare = cls(*await asyncio.open_connection(sock=raw, limit=1 << 16))
        bare.writer.write(UPGRADE.encode())
        try:
            await bare._be_accepted(token)
        except (OSError, asyncio.IncompleteReadError) as error:
            bare.cut()
            raise OSError("not accepted") from error
        return bare

    async def _be_accepted(self, token):
        head = await self.reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head.partition(b"\r\n")[0]:
            raise OSError("refused")
        await self.frame()
        if token is None:
            return
        self.send("40" + json.dumps({"token": token}))
        if not (await self.frame() or "").startswith("40{"):
            raise OSError("refused")

    def send(self, payload, **options):
        self.writer.write(client_frame(payload, **options))

    async def frame(self):
        """Return the next text, or None when the connection has ended.

        Pings of the server are answered, as every client library does.
        """
        try:
            while True:
                head, size = await self.reader.readexactly(2)
                if size >= 126:
                    size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
                data = await self.reader.readexactly(size)
                if head & 0xF == CLOSE:
                    self.close_code = int.from_bytes(data[:2], "big")
                    return None
                if data != b"2":
                    return data.decode()
                self.send("3")
        except (OSError, asyncio.IncompleteReadError):
            return None

    async def ack(self, id):
        """Return the ack with this id, or None when the connection ended."""
        while (frame := await self.frame()) is not None:
            if frame.startswith(f"43{id}["):
                return json.loads(frame.removeprefix(f"43{id}"))[0]
        return None

    async def is_closed(self, within_seconds):
        """Return whether the server closes the connection within this time."""
        try:
            async with asyncio.timeout(within_seconds):
                while await self.frame() is not None:
                    pass
        except TimeoutError:
            return False
        return True

    def cut(self):
        """Reset the connection without a close frame, as a lost cable does."""
        raw = self.writer.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.writer.transport.abort()


@contextlib.asynccontextmanager
async def bare(url, token=None, **options):
    """Open a `Bare` WebSocket, which is closed after the block."""
    opened = await Bare.open(url, token, **options)
    try:
        yield opened
    finally:
        opened.cut()
