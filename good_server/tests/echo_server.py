"""A WebSocket server that echoes every message, built on the delivery engine without Socket.IO.

The Autobahn cases need it: they send messages that are no Socket.IO packets. It writes its URL as a JSON line. Each
line on stdin asks for the number of connections that it still serves, and for the closes of slow readers.
"""

import asyncio
import sys

from aiohttp import web

from ..delivery.connection import Connection
from ..delivery.engine import Upgraded
from ..delivery.frames import frame
from ..delivery.send_queue import SendQueue, WriteBatcher
from ..internal_http import listen, url_of
from ..runtime import loop_factory
from ..settings import Settings
from .attackers import say

# the cases 9.* send messages of 16 MiB, and the server owes several of them at a time
MAX_BYTES = 16 * 2**20
OUTBOX_BYTES = 4 * MAX_BYTES


class Echo:
    """Handles WebSocket requests, and counts the open ones."""

    def __init__(self):
        self.open, self.slow = 0, []
        self._batcher = WriteBatcher(Settings(outbox_bytes=OUTBOX_BYTES), on_slow=self.slow.append)

    async def handle(self, request):
        connection, send_queue = Connection(request, MAX_BYTES), SendQueue(self._batcher)
        self.open += 1
        try:
            connection.open(send_queue, b"")
            while (message := await connection.receive()) is not None:
                send_queue.write(frame(message.data))
        finally:
            await connection.close()
            self.open -= 1
        return Upgraded()


async def serve():
    echo, app = Echo(), web.Application()
    app.router.add_get("/", echo.handle)
    runner = await listen(app, "127.0.0.1", 0)
    say(url_of(runner))
    while await asyncio.to_thread(sys.stdin.readline):
        say({"open": echo.open, "slow": echo.slow})
    await runner.cleanup()


def main():
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve())
