"""A proxy that simulates a faulty network between client and server.

A regular `close()` does not simulate a lost connection. A `FaultyLink` can cut connections (RST), make them silent
(half-open: no FIN and no data), stall all data, or delay it.
"""

import asyncio
import contextlib
import itertools
import socket
import struct
from collections.abc import Iterator
from typing import Self

CHUNK_BYTES = 64 * 1024
# l_onoff and l_linger: with these values a close sends RST instead of FIN
RESET = struct.pack("ii", 1, 0)


class _ForwardedConnection:
    """A client's connection, and the server connection that it is forwarded to."""

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
    """A proxy on 127.0.0.1 that forwards connections to a target port.

    Used as `async with FaultyLink(target_port) as link`. With several target ports (a server of several processes) each
    new connection goes to the next port in turn.
    """

    def __init__(self, *target_ports: int) -> None:
        self.port = 0
        # the target port of the last connection
        self.target_port = target_ports[-1]
        self.bytes_to_client = 0
        self.bytes_to_server = 0
        self._target_ports = itertools.cycle(target_ports)
        self._server: asyncio.Server | None = None
        self._connections: set[_ForwardedConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._delay_seconds = 0.0
        self._is_closed = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_closed = True
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.reset()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # an aborted transport closes its socket in the next turn of the loop
        await asyncio.sleep(0)

    @property
    def connections(self) -> int:
        """Number of open connections, the silent ones included."""
        return len(self._connections)

    async def cut(self) -> None:
        """Reset every connection at both ends; new connections still work."""
        for connection in list(self._connections):
            connection.reset()
        await asyncio.sleep(0)

    async def go_silent(self) -> None:
        """Keep every connection open, but never forward anything on it again.

        New connections work normally.
        """
        for connection in self._connections:
            connection.is_silent = True
        await asyncio.sleep(0)

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        """Forward nothing until the `with` block ends, not even a close.

        Then everything that waited is forwarded.
        """
        self._flowing.clear()
        try:
            yield
        finally:
            self._flowing.set()

    @contextlib.contextmanager
    def delayed(self, seconds: float) -> Iterator[None]:
        """Forward each chunk of data `seconds` later, until the `with` block ends.

        The chunks of one direction wait one after another, so their delays add up.
        """
        self._delay_seconds = seconds
        try:
            yield
        finally:
            self._delay_seconds = 0.0

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_closed:
            # the connection came in the moment of the close
            writer.transport.abort()
            return
        task = asyncio.create_task(self._forward(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # also when the task is cancelled before the target has accepted: then there is no forwarded connection yet
        task.add_done_callback(lambda _: writer.transport.abort())

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.target_port = next(self._target_ports)
        try:
            target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            return
        connection = _ForwardedConnection((writer, target_writer))
        self._connections.add(connection)
        try:
            await asyncio.gather(
                self._pump(connection, reader, target_writer, to_server=True),
                self._pump(connection, target_reader, writer, to_server=False),
            )
        finally:
            self._connections.discard(connection)
            for end in connection.writers:
                end.transport.abort()

    async def _pump(
        self,
        connection: _ForwardedConnection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        to_server: bool,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                if self._delay_seconds:
                    await asyncio.sleep(self._delay_seconds)
                await self._flowing.wait()
                if connection.is_silent:
                    continue
                self.bytes_to_server += len(data) if to_server else 0
                self.bytes_to_client += 0 if to_server else len(data)
                writer.write(data)
                await writer.drain()
        await self._flowing.wait()
        if not connection.is_silent and writer.can_write_eof():
            with contextlib.suppress(OSError):
                writer.write_eof()
