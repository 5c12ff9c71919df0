"""Run servers inside the process of the tests."""

import asyncio
import time
from contextlib import asynccontextmanager
from itertools import count

import pytest

from .. import lifecycle, rooms
from . import tokens
from .stand_in import PLAIN
from .waiting import WAIT_SECONDS

# each delivery path that this copy has
DELIVERIES = [pytest.param("engine", marks=pytest.mark.needs("delivery")), "stock"]
FENCE = "test:fence"
FREE_PORTS = {"port": 0, "internal_port": 0}
# all clients of a test connect from one address, faster than people do
ONE_ADDRESS = {"connects_per_second_per_address": 1e6}


class Clock:
    """A clock for tests, in seconds since the epoch. Its time changes only when a test calls `advance`."""

    def __init__(self):
        self.now = float(int(time.time()))

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += seconds


class Server:
    """A server in the test process, with helper methods for tests."""

    def __init__(self, application, addresses, stop, task):
        self.application, self.addresses, self.stop, self.task = application, addresses, stop, task
        self.url, self.internal_url = addresses.public, addresses.internal
        self.settings, self.sio, self.gateway = application.settings, application.sio, application.gateways[0]
        self._fences = count()

    def token(self, user, role=PLAIN, **claims):
        """Return a valid token for this server."""
        return tokens.token(self.settings, user, role, clock=self.application.clock, **claims)

    def signed(self, **changes):
        """Return a signed token with changed claims: see `tokens.signed`."""
        return tokens.signed(self.settings, self.application.clock(), **changes)

    def members(self, room):
        return len(self.gateway.sids_in(room))

    async def fence(self, *tabs):
        """Return the messages that each tab has received until now.

        The server sends one more message, the fence. All that it sent before arrives before the fence.
        """
        number = next(self._fences)
        await self.sio.emit(FENCE, number, room=list(rooms.everyone()))
        return [await tab.received_until_fence(number) for tab in tabs]

    async def ended(self):
        """Stop the server and wait until it has ended."""
        self.stop.set()
        await asyncio.wait_for(self.task, WAIT_SECONDS)


@asynccontextmanager
async def running(application):
    """Run a server for `application` during a block, and yield it."""
    ready, stop = asyncio.get_running_loop().create_future(), asyncio.Event()
    task = asyncio.create_task(lifecycle.serve(application, ready.set_result, stop))
    await asyncio.wait({task, ready}, timeout=WAIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    server = Server(application, ready.result() if ready.done() else await task, stop, task)
    try:
        yield server
    finally:
        await server.ended()
