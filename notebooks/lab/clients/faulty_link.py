"""Answers for the network between a client and a server, and for its faults: a small proxy on the loopback.

A polite `close()` is not a lost connection. A `FaultyLink` can cut (RST), go silent (half-open: no FIN, no PONG,
nothing), hold everything back, or delay it.
"""

import asyncio
import contextlib
import itertools
import socket
import struct
from collections.abc import Iterator
from typing import Self

CHUNK_BYTES = 64 * 1024
# l_onoff, l_linger: closing sends RST instead of FIN
RESET = struct.pack("ii", 1, 0)


class _ForwardedConnection:
    """One client's connection and the one it is forwarded to."""

    def __init__(self, writers: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
        self.writers = writers
        self.is_silent = False

    def reset(self) -> None:
        for writer in self.writers:
            raw: socket.socket | None = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                if raw is not None:
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()


class FaultyLink:
    """One listener on 127.0.0.1 that forwards to a target port: `async with FaultyLink(target_port) as link`.

    Of several target ports, as of a server with several processes, each new connection goes to the next in turn.
    """

    def __init__(self, *target_ports: int) -> None:
        self.port = 0
        # where the last connection went to
        self.target_port = target_ports[-1]
        self.bytes_to_client = 0
        self.bytes_to_server = 0
        self._target_ports = itertools.cycle(target_ports)
        self._server: asyncio.Server | None = None
        self._pairs: set[_ForwardedConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._delay_seconds = 0.0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for pair in list(self._pairs):
            pair.reset()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def connections(self) -> int:
        """Connections that pass through now, the silent ones included."""
        return len(self._pairs)

    async def cut(self) -> None:
        """Resets every connection, towards both ends; new ones are welcome."""
        for pair in list(self._pairs):
            pair.reset()
        await asyncio.sleep(0)

    async def go_silent(self) -> None:
        """Leaves every connection open and forwards nothing on it any more, for ever; new ones pass normally."""
        for pair in self._pairs:
            pair.is_silent = True
        await asyncio.sleep(0)

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        """While inside, nothing is forwarded and nothing is closed, not even what an end closes meanwhile."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    @contextlib.contextmanager
    def delayed(self, seconds: float) -> Iterator[None]:
        """While inside, every piece is forwarded at least that much later, one after another."""
        self._delay_seconds = seconds
        try:
            yield
        finally:
            self._delay_seconds = 0.0

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._forward(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # whatever becomes of it: one that is cancelled before it has reached the target has no pair yet
        task.add_done_callback(lambda _: writer.transport.abort())

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.target_port = next(self._target_ports)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            return
        pair = _ForwardedConnection((writer, far_writer))
        self._pairs.add(pair)
        try:
            await asyncio.gather(
                self._pump(pair, reader, far_writer, to_server=True),
                self._pump(pair, far_reader, writer, to_server=False),
            )
        finally:
            self._pairs.discard(pair)
            for end in pair.writers:
                end.transport.abort()

    async def _pump(
        self, pair: _ForwardedConnection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_server: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                if self._delay_seconds:
                    await asyncio.sleep(self._delay_seconds)
                await self._open.wait()
                if pair.is_silent:
                    continue
                self.bytes_to_server += len(data) if to_server else 0
                self.bytes_to_client += 0 if to_server else len(data)
                writer.write(data)
                await writer.drain()
        await self._open.wait()
        if not pair.is_silent and writer.can_write_eof():
            with contextlib.suppress(OSError):
                writer.write_eof()
