"""Load generator of `lab bench`: many simulated clients that need little CPU."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

from lab.bench import wire

ADDRESS = "127.0.0.1"
CONNECT_SECONDS = 20.0
CONCURRENT_CONNECTS = 50
MESSAGE = b'42["chat:message"'
# a phone on a mobile network: small packets and a small window, so that the kernels can buffer only little
PHONE_SEGMENT_BYTES = 1400
PHONE_WINDOW_BYTES = 8192


class LoadError(Exception):
    """The measured server did not behave as the benchmark requires.

    For example, it did not answer in time. The message of the exception is one line.
    """


class RefusedError(LoadError):
    """The server refused a connection, by an HTTP status or a CONNECT_ERROR."""


class MessageCounter:
    """Counts the chat messages that the members of a crowd receive.

    A crowd is a group of clients in one chat room. When `latencies` is a list, the counter also appends the latency of
    each message to this list, in seconds.
    """

    def __init__(self) -> None:
        self.latencies: list[float] | None = None
        self._missing = 0
        self._sent_at = 0.0
        self._done: asyncio.Future[None] | None = None

    def expect(self, count: int) -> None:
        """Sets how many messages must arrive, and starts to measure latencies."""
        self._missing = count
        self._done = asyncio.get_running_loop().create_future()
        self._sent_at = time.perf_counter()

    def add(self, count: int) -> None:
        """Counts `count` more messages, which arrived in one read."""
        if self.latencies is not None:
            self.latencies += [time.perf_counter() - self._sent_at] * count
        self._missing -= count
        if self._missing <= 0 and self._done is not None and not self._done.done():
            self._done.set_result(None)

    async def wait_for_all(self, timeout: float) -> None:
        """Waits until all expected messages have arrived.

        Raises `LoadError` after `timeout` seconds, or when `expect` was not called before.
        """
        if self._done is None:
            raise LoadError("no message was expected")
        try:
            async with asyncio.timeout(timeout):
                await self._done
        except TimeoutError:
            raise LoadError(f"{self._missing:,} deliveries did not arrive within {timeout:.0f} s") from None


class Member(asyncio.Protocol):
    """One simulated client, which speaks WebSocket without a client library.

    It connects, answers pings, counts chat messages, and calls `on_ack` for each ack. With `is_plain_tcp` the
    connection stays plain TCP, without a WebSocket handshake.
    """

    def __init__(self, user: str, counter: MessageCounter, *, is_plain_tcp: bool = False) -> None:
        self.user = user
        self.counter: MessageCounter | None = counter
        self.on_ack: Callable[[Member], None] | None = None
        self.is_lost = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self._is_plain_tcp = is_plain_tcp
        self._is_upgraded = is_plain_tcp
        self._incomplete = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sends the WebSocket handshake. A plain TCP client sends nothing, and is ready at once."""
        # uvloop's transport does not inherit from asyncio's classes
        self.transport = cast(asyncio.Transport, transport)
        if self._is_plain_tcp:
            self.ready.set_result(None)
        else:
            self.transport.write(wire.UPGRADE)

    def connection_lost(self, error: Exception | None) -> None:
        """Marks this client as lost; a pending connect fails with `LoadError`."""
        self.is_lost = True
        if not self.ready.done():
            self.ready.set_exception(LoadError(f"a connection was closed before it was accepted: {error or 'EOF'}"))

    def write(self, data: bytes) -> None:
        """Writes `data` to the server; drops it when there is no connection."""
        if self.transport is not None:
            self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Reads all complete WebSocket frames; keeps an incomplete frame for later."""
        if self._incomplete:
            data = self._incomplete + data
        at = 0 if self._is_upgraded else self._read_upgrade(data)
        if not self._is_upgraded:
            self._incomplete = data
            return
        end, messages = len(data), 0
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[start : start + 2], "big"), at + 4
            elif size == 127:
                size, start = int.from_bytes(data[start : start + 8], "big"), at + 10
            after = start + size
            if after > end:
                break
            if data.startswith(MESSAGE, start):
                messages += 1
            else:
                self._handle(data[at], data[start:after])
            at = after
        self._incomplete = data[at:]
        if messages and self.counter is not None:
            self.counter.add(messages)

    def _read_upgrade(self, data: bytes) -> int:
        """Reads the server's HTTP response to the WebSocket handshake.

        Returns the position of the first frame in `data`. This position is valid only if `_is_upgraded` is true
        afterwards.
        """
        head = data.find(b"\r\n\r\n")
        if head >= 0 and not data.startswith(b"HTTP/1.1 101"):
            self._fail_connect(data[: data.find(b"\r\n")].decode(errors="replace"))
        else:
            self._is_upgraded = head >= 0
        return head + 4

    def _handle(self, first_byte: int, payload: bytes) -> None:
        """Handles a frame from the server that is not a chat message.

        It answers pings, sends CONNECT after the server's handshake packet, calls `on_ack` for an ack, and records
        whether the server accepted the CONNECT.
        """
        if first_byte == wire.PING:
            self.write(wire.frame(payload, first_byte=wire.PONG))
        elif payload == b"2":
            self.write(wire.frame(b"3"))
        elif payload.startswith(b"43"):
            if self.on_ack is not None:
                self.on_ack(self)
        elif payload.startswith(b"0{"):
            self.write(wire.connect_frame(self.user))
        elif payload.startswith(b"40") and not self.ready.done():
            self.ready.set_result(None)
        elif payload.startswith(b"44"):
            self._fail_connect(payload.decode(errors="replace"))

    def _fail_connect(self, reason: str) -> None:
        if not self.ready.done():
            self.ready.set_exception(RefusedError(f"a connection was refused: {reason[:100]}"))


class Crowd:
    """A group of clients that are members of one chat room."""

    def __init__(self, port: int) -> None:
        self.counter = MessageCounter()
        self.members: list[Member] = []
        self._port = port

    async def join(
        self, count: int, *, name: str = "member", is_plain_tcp: bool = False, is_phone: bool = False
    ) -> None:
        """Connects `count` more members, each as a different user.

        The users are named `name-0`, `name-1` and so on. Up to `CONCURRENT_CONNECTS` members connect at the same time.
        With `is_plain_tcp` the members do no WebSocket handshake. With `is_phone` they have small TCP buffers. Raises
        `LoadError` when a connection fails, or when not all members are connected in time.
        """
        users = (f"{name}-{number}" for number in range(count))
        workers = [
            asyncio.ensure_future(self._connect(users, is_plain_tcp, is_phone))
            for _ in range(min(CONCURRENT_CONNECTS, count))
        ]
        try:
            async with asyncio.timeout(CONNECT_SECONDS + count / 100):
                await asyncio.gather(*workers)
        except TimeoutError:
            raise LoadError(f"{count:,} connections were not accepted in time") from None
        except OSError as error:
            raise LoadError(f"a connection failed: {error.strerror or error}") from None
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _connect(self, users: Iterator[str], is_plain_tcp: bool, is_phone: bool) -> None:
        loop = asyncio.get_running_loop()
        for user in users:
            member = Member(user, self.counter, is_plain_tcp=is_plain_tcp)
            self.members.append(member)
            if is_phone:
                await loop.create_connection(partial(_as_protocol, member), sock=_connected_phone_socket(self._port))
            else:
                await loop.create_connection(partial(_as_protocol, member), ADDRESS, self._port)
            await member.ready

    def leave(self) -> None:
        """Closes all connections at once, each with a TCP reset.

        To the server this looks like a network failure. No port stays in TIME_WAIT.
        """
        for member in self.members:
            member.counter = None
            if member.ready.done():
                # retrieve the exception, because possibly no task awaits it any more
                member.ready.cancelled() or member.ready.exception()
            if member.transport is not None:
                member.transport.abort()
        self.members = []


def _as_protocol(member: Member) -> Member:
    """Returns `member` unchanged.

    asyncio requires a function that returns the protocol; `partial(_as_protocol, member)` is such a function.
    """
    return member


def _connected_phone_socket(port: int) -> socket.socket:
    """Returns a connected socket whose buffers are as small as a phone's.

    `connect` blocks the event loop, but on loopback only for a moment.
    """
    connection = socket.socket()
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PHONE_WINDOW_BYTES)
        with contextlib.suppress(OSError, AttributeError):  # some systems do not allow it
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, PHONE_SEGMENT_BYTES)
        connection.connect((ADDRESS, port))
        connection.setblocking(False)
    except BaseException:
        connection.close()
        raise
    return connection
