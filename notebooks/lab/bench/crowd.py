"""Answers for the load generator: many raw sockets in one event loop, as light as Python can be."""

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
AT_ONCE = 50
MESSAGE = b'42["chat:message"'
# a phone on a mobile network: small packets and a small window, so that little waits in the kernels between
PHONE_SEGMENT_BYTES = 1400
PHONE_WINDOW_BYTES = 8192


class LoadError(Exception):
    """A server did not do what the load asks of it; the message is one line."""


class Tally:
    """Counts the messages that a crowd receives, and times them when `latencies` is a list (seconds)."""

    def __init__(self) -> None:
        self.latencies: list[float] | None = None
        self._missing = 0
        self._sent_at = 0.0
        self._done: asyncio.Future[None] | None = None

    def expect(self, count: int) -> None:
        """Starts to count; times are taken from now."""
        self._missing = count
        self._done = asyncio.get_running_loop().create_future()
        self._sent_at = time.perf_counter()

    def arrived(self, count: int) -> None:
        """So many messages came in one read."""
        if self.latencies is not None:
            self.latencies += [time.perf_counter() - self._sent_at] * count
        self._missing -= count
        if self._missing <= 0 and self._done is not None and not self._done.done():
            self._done.set_result(None)

    async def complete(self, timeout: float) -> None:
        """Waits for all; raises `LoadError` when some do not come."""
        if self._done is None:
            raise LoadError("nothing was expected")
        try:
            async with asyncio.timeout(timeout):
                await self._done
        except TimeoutError:
            raise LoadError(f"{self._missing:,} deliveries had not come after {timeout:.0f} s") from None


class Member(asyncio.Protocol):
    """One raw socket: it connects, answers pings, counts messages and tells of acks."""

    def __init__(self, user: str, tally: Tally, *, is_plain: bool = False) -> None:
        self.user = user
        self.tally: Tally | None = tally
        self.on_ack: Callable[[Member], None] | None = None
        self.is_lost = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self._is_plain = is_plain
        self._is_upgraded = is_plain
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks for the upgrade; a plain socket is ready at once."""
        # uvloop's own is none of asyncio's classes
        self.transport = cast(asyncio.Transport, transport)
        if self._is_plain:
            self.ready.set_result(None)
        else:
            self.transport.write(wire.UPGRADE)

    def connection_lost(self, error: Exception | None) -> None:
        """Notes it; who waits for the connect is told."""
        self.is_lost = True
        if not self.ready.done():
            self.ready.set_exception(LoadError(f"a connection was closed before it was accepted: {error or 'EOF'}"))

    def write(self, data: bytes) -> None:
        """Writes frames; what is written to a lost socket is lost."""
        if self.transport is not None:
            self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Reads whole frames, and keeps what is not whole yet."""
        if self._rest:
            data = self._rest + data
        at = 0 if self._is_upgraded else self._upgrade(data)
        if not self._is_upgraded:
            self._rest = data
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
                self._take(data[at], data[start:after])
            at = after
        self._rest = data[at:]
        if messages and self.tally is not None:
            self.tally.arrived(messages)

    def _upgrade(self, data: bytes) -> int:
        """Where the frames begin, once the answer is whole."""
        head = data.find(b"\r\n\r\n")
        if head >= 0 and not data.startswith(b"HTTP/1.1 101"):
            self._refused(data[: data.find(b"\r\n")].decode(errors="replace"))
        else:
            self._is_upgraded = head >= 0
        return head + 4

    def _take(self, first: int, payload: bytes) -> None:
        if first == wire.PING:
            self.write(wire.frame(payload, first=wire.PONG))
        elif payload == b"2":
            self.write(wire.frame(b"3"))
        elif payload.startswith(b"43"):
            if self.on_ack is not None:
                self.on_ack(self)
        elif payload.startswith(b"0{"):
            self.write(wire.connect(self.user))
        elif payload.startswith(b"40") and not self.ready.done():
            self.ready.set_result(None)
        elif payload.startswith(b"44"):
            self._refused(payload.decode(errors="replace"))

    def _refused(self, why: str) -> None:
        if not self.ready.done():
            self.ready.set_exception(LoadError(f"a connection was refused: {why[:100]}"))


class Crowd:
    """Members of one room on one server."""

    def __init__(self, port: int) -> None:
        self.tally = Tally()
        self.members: list[Member] = []
        self._port = port

    async def join(self, count: int, *, name: str = "member", is_plain: bool = False, is_phone: bool = False) -> None:
        """Connects so many more, some at once, each a user of its own; raises `LoadError`."""
        users = (f"{name}-{number}" for number in range(count))
        workers = [asyncio.ensure_future(self._connect(users, is_plain, is_phone)) for _ in range(min(AT_ONCE, count))]
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

    async def _connect(self, users: Iterator[str], is_plain: bool, is_phone: bool) -> None:
        loop = asyncio.get_running_loop()
        for user in users:
            member = Member(user, self.tally, is_plain=is_plain)
            self.members.append(member)
            if is_phone:
                await loop.create_connection(partial(_same, member), sock=_phone(self._port))
            else:
                await loop.create_connection(partial(_same, member), ADDRESS, self._port)
            await member.ready

    def leave(self) -> None:
        """All of them at once, with a reset: a cut line, and no port is kept waiting."""
        for member in self.members:
            member.tally = None
            if member.ready.done():
                # seen, as nobody may be waiting for it any more
                member.ready.cancelled() or member.ready.exception()
            if member.transport is not None:
                member.transport.abort()
        self.members = []


def _same(member: Member) -> Member:
    return member


def _phone(port: int) -> socket.socket:
    """A connected socket; on loopback it blocks for no longer than a system call."""
    connection = socket.socket()
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PHONE_WINDOW_BYTES)
        with contextlib.suppress(OSError, AttributeError):  # not every system lets one choose
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, PHONE_SEGMENT_BYTES)
        connection.connect((ADDRESS, port))
        connection.setblocking(False)
    except BaseException:
        connection.close()
        raise
    return connection
