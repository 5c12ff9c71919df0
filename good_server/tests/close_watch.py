"""A TCP relay that finds out which connections the server itself ends.

A client that closes its socket hides whether the server would have closed it. The relay passes on all bytes, but not
the end of the client's. It then waits for the end of the server's.
"""

import asyncio
import contextlib

from .wire import address_of

# A server that ends the connection does so at once. This is less than the timer with which it gives up a lost peer.
PATIENCE_SECONDS = 0.5
CHUNK_BYTES = 1 << 16
HOST = "127.0.0.1"


class CloseWatch:
    """The relay. `ended_by_server` has one item per connection, in the order of their opening."""

    def __init__(self, target):
        """Relay to the server at the URL `target`."""
        self.ended_by_server, self.url = [], ""
        self._target, self._tasks = address_of(target), set()

    async def relay(self, reader, writer):
        number = len(self.ended_by_server)
        self.ended_by_server.append(False)
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        answering = asyncio.create_task(pass_on(server_reader, writer))
        try:
            asking = asyncio.create_task(pass_on(reader, server_writer))
            await asyncio.wait({asking, answering}, return_when=asyncio.FIRST_COMPLETED)
            done, _ = await asyncio.wait({answering}, timeout=PATIENCE_SECONDS)
            self.ended_by_server[number] = bool(done)
        finally:
            for task in (asking, answering):
                task.cancel()
            await asyncio.gather(asking, answering, return_exceptions=True)
            server_writer.transport.abort()
            writer.close()

    @property
    def left_open(self):
        """The numbers of the connections that the server did not end."""
        return [number for number, is_ended in enumerate(self.ended_by_server) if not is_ended]


async def pass_on(reader, writer):
    """Pass on bytes until there are no more."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            if not writer.is_closing():
                writer.write(data)
                await writer.drain()


@contextlib.asynccontextmanager
async def watching_closes(target):
    """Relay to the URL `target` during a block, and yield the `CloseWatch`."""
    watch = CloseWatch(target)
    server = await asyncio.start_server(watch.relay, HOST, 0)
    watch.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
    try:
        yield watch
    finally:
        server.close()
