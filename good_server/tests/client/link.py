"""A faulty network link: a proxy between clients and a server."""

import asyncio
from contextlib import asynccontextmanager

from ..ports import lasting_port
from ..wire import address_of

CHUNK_BYTES = 64 * 1024


class Link:
    """Forwards TCP connections to a server, until a test makes it faulty.

    While `is_mute` is true, what the server sends is lost. While `is_down` is true, new connections are reset.
    """

    def __init__(self, target_url, port):
        self.url, self._target = f"http://127.0.0.1:{port}", address_of(target_url)
        self.is_mute, self.is_down, self.opened = False, False, 0
        self._writers, self._tasks = set(), set()

    def cut(self):
        """Reset all connections on both sides."""
        for writer in self._writers:
            writer.transport.abort()

    async def forward(self, reader, writer):
        """Forward one connection, until a side closes it."""
        self.opened += 1
        self._tasks.add(asyncio.current_task())
        self._writers.add(writer)
        other = None
        try:
            if not self.is_down:
                server, other = await asyncio.open_connection(*self._target)
                self._writers.add(other)
                await self._until_one_ends(self._copy(reader, other), self._copy(server, writer, is_answer=True))
        except OSError:
            return
        finally:
            for end in filter(None, (writer, other)):
                self._writers.discard(end)
                end.transport.abort()
            self._tasks.discard(asyncio.current_task())

    async def _until_one_ends(self, *copying):
        tasks = [asyncio.ensure_future(each) for each in copying]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _copy(self, reader, writer, *, is_answer=False):
        while data := await reader.read(CHUNK_BYTES):
            if not (is_answer and self.is_mute):
                writer.write(data)
                await writer.drain()

    async def end(self):
        """End all connections, and wait for their tasks."""
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def linked(target_url):
    """Run a link to the server with this URL, and yield it."""
    port = lasting_port()
    link = Link(target_url, port)
    listener = await asyncio.start_server(link.forward, "127.0.0.1", port)
    try:
        yield link
    finally:
        listener.close()
        await link.end()
        await listener.wait_closed()
