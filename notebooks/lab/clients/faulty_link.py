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

from lab.system.spawn import complete_even_if_cancelled

CHUNK_BYTES = 64 * 1024
# the pause after a failed accept, which failed because the client has gone or because too many files are open
ACCEPT_AGAIN_SECONDS = 0.05
# l_onoff and l_linger: with these values a close sends RST instead of FIN
RESET = struct.pack("ii", 1, 0)


class _ForwardedConnection:
    """A client's connection to the proxy, and the matching server connection."""

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
    """A proxy on 127.0.0.1 that can cut, silence, stall or delay connections.

    It forwards connections to a target port without faults, until a method such as `cut` causes a fault. With several
    target ports (a server of several processes) each new connection goes to the next port in turn. Use the class as
    `async with FaultyLink(target_port) as link`. After the block, the link has no open socket and no task.
    """

    _listener: socket.socket
    _accepting: asyncio.Task[None]

    def __init__(self, *target_ports: int) -> None:
        self.port = 0
        # the target port of the last connection
        self.target_port = target_ports[-1]
        self.bytes_to_client = 0
        self.bytes_to_server = 0
        # what the server sent on silent connections, each with its time on the event loop's clock
        self.lost_to_client: list[tuple[float, bytes]] = []
        self._target_ports = itertools.cycle(target_ports)
        self._connections: set[_ForwardedConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._delay_seconds = 0.0
        self._is_closed = False

    async def __aenter__(self) -> Self:
        # asyncio sets TCP_NODELAY only if the protocol is named
        self._listener = socket.socket(proto=socket.IPPROTO_TCP)
        self._listener.setblocking(False)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port = self._listener.getsockname()[1]
        # not asyncio's server, whose close leaves open the connections that it is just accepting
        self._accepting = asyncio.create_task(self._accept())
        return self

    async def __aexit__(self, *_: object) -> None:
        await complete_even_if_cancelled(self._close())

    async def _close(self) -> None:
        self._is_closed = True
        with socket.socket(proto=socket.IPPROTO_TCP) as last:
            last.setblocking(False)
            # this connection ends the wait for the next one; a cancelled wait can lose the connection it has accepted
            last.connect_ex(("127.0.0.1", self.port))
            await asyncio.wait([self._accepting])
        self._listener.close()
        for connection in self._connections:
            connection.reset()
        for task in self._tasks:
            task.cancel()
        # each task aborts its transports before it ends, and they close their sockets before its end is noticed here
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def connections(self) -> int:
        """Number of open connections, including those silenced by `go_silent`."""
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
        """Forward nothing until the `with` block ends.

        Data waits, and the end of a connection waits too. After the block, everything that waited is forwarded.
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

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._is_closed:
            try:
                accepted, _ = await loop.sock_accept(self._listener)
            except OSError:
                await asyncio.sleep(ACCEPT_AGAIN_SECONDS)
                continue
            if self._is_closed:
                accepted.close()
                continue
            self._start(accepted)

    def _start(self, accepted: socket.socket) -> None:
        task = asyncio.create_task(self._forward(accepted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # also when the task is cancelled before it starts
        task.add_done_callback(lambda _: accepted.close())

    async def _forward(self, accepted: socket.socket) -> None:
        self.target_port = next(self._target_ports)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            reader, writer = await asyncio.open_connection(sock=accepted)
            stack.callback(writer.transport.abort)
            target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
            stack.callback(target_writer.transport.abort)
            connection = _ForwardedConnection((writer, target_writer))
            self._connections.add(connection)
            stack.callback(self._connections.discard, connection)
            await asyncio.gather(
                self._pump(connection, reader, target_writer, to_server=True),
                self._pump(connection, target_reader, writer, to_server=False),
            )

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
                    if not to_server:
                        self.lost_to_client.append((asyncio.get_running_loop().time(), data))
                    continue
                self.bytes_to_server += len(data) if to_server else 0
                self.bytes_to_client += 0 if to_server else len(data)
                writer.write(data)
                await writer.drain()
        await self._flowing.wait()
        if not connection.is_silent and writer.can_write_eof():
            with contextlib.suppress(OSError):
                writer.write_eof()
