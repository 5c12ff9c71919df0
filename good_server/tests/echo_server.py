"""A WebSocket server on the delivery engine that echoes every message.

The Autobahn cases need it, without Socket.IO: they send messages that are no packets. Its argument is the setting
`gather_milliseconds`. It writes its URL as a JSON line. Each line on stdin asks for the number of connections that it
still serves, and for the closes of slow readers.
"""

import asyncio
import sys

from aiohttp import web

from ..delivery.connection import Connection
from ..delivery.engine import Upgraded
from ..delivery.frames import frame
from ..delivery.send_queue import SendQueue, WriteBatcher
from ..packet_budget import BUDGET
from ..runtime import loop_factory
from ..settings import Settings
from .attackers import say

HOST = "127.0.0.1"
# the cases 9.* send messages of 16 MiB, and the server owes several of them at a time
MAX_BYTES = 16 * 2**20
OUTBOX_BYTES = 4 * MAX_BYTES


class Unlimited:
    """A budget that is never used up."""

    def take(self, now):
        return 0.0


class Echo:
    """Handles WebSocket requests, and counts the open ones."""

    def __init__(self, gather_milliseconds):
        self.open, self.slow = 0, []
        settings = Settings(outbox_bytes=OUTBOX_BYTES, gather_milliseconds=gather_milliseconds)
        self._batcher = WriteBatcher(settings, on_slow=self.slow.append)

    async def handle(self, request):
        # the cases 9.3 and 9.4 send more small fragments than a client of the product may
        request[BUDGET] = Unlimited()
        connection, send_queue = Connection(request, MAX_BYTES), SendQueue(self._batcher)
        self.open += 1
        try:
            connection.open(send_queue, b"")
            while (message := await connection.receive()) is not None:
                send_queue.write(frame(message))
        finally:
            await connection.close()
            self.open -= 1
        return Upgraded()


async def listen(app):
    """Serve an application on a free port. Return its runner, and write its URL as a JSON line."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    say(f"http://{HOST}:{runner.addresses[0][1]}")
    return runner


async def serve(gather_milliseconds):
    echo, app = Echo(gather_milliseconds), web.Application()
    app.router.add_get("/", echo.handle)
    runner = await listen(app)
    while await asyncio.to_thread(sys.stdin.readline):
        say({"open": echo.open, "slow": echo.slow})
    await runner.cleanup()


def main(gather_milliseconds):
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(float(gather_milliseconds)))
