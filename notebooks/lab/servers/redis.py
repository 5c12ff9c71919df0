"""Answers for a real Redis on a free port of the loopback, for as long as the lab needs it."""

import asyncio
import contextlib
import random
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis

from lab.system.child_program import Program
from lab.system.exit_codes import UsageError
from lab.system.spawn import complete_even_if_cancelled

START_SECONDS = 10.0
POLL_SECONDS = 0.01
PORTS = range(20_000, 32_000)
READY = "Ready to accept connections"
MISSING = "redis-server is not installed, and several processes need a Redis between them: apt install redis-server"


class RedisError(Exception):
    """It did not start; the message is one line that says why."""


def redis_program() -> str:
    """The path of redis-server; raises `UsageError` when it is not installed."""
    found = shutil.which("redis-server")
    if found is None:
        raise UsageError(MISSING)
    return found


class RedisServer:
    """One `redis-server` that saves nothing; it may be stopped and started on the same port as often as wanted.

    Without a `port` it has a free one. Raises `UsageError` when redis-server is not installed.
    """

    def __init__(self, *, port: int | None = None) -> None:
        program = redis_program()
        self.port = port if port is not None else _free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="lab-redis-")
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", self._folder.name]
        keeps_nothing = ["--save", "", "--appendonly", "no"]
        self._program = Program([program, *where, *keeps_nothing], Path(self._folder.name))

    @property
    def url(self) -> str:
        """What SERVER_REDIS_URL is set to."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Returns when it takes connections; raises `RedisError`."""
        said_before = len(self._program.lines)
        await self._program.start()
        try:
            async with asyncio.timeout(START_SECONDS):
                # by its own word: another program may answer on that port
                while not any(READY in line for line in self._program.lines[said_before:]):
                    if not self._program.is_running:
                        raise RedisError(f"redis-server did not start: {self._program.last_line}")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise RedisError(f"redis-server does not listen after {START_SECONDS:.0f} s") from None

    async def stop(self) -> None:
        """Ends it as a power cut would; `start` brings it back, empty."""
        await self._program.stop()

    async def close(self) -> None:
        """Ends it and leaves nothing behind."""
        await self.stop()
        self._folder.cleanup()

    async def subscribers(self, prefix: str) -> int:
        """How many connections listen on a channel whose name begins so; the largest number, if there are several."""
        async with Redis(port=self.port) as client:
            channels = await client.pubsub_channels(f"{prefix}*")
            counts = await client.pubsub_numsub(*channels) if channels else []
        return max((count for _, count in counts), default=0)


@asynccontextmanager
async def running_redis() -> AsyncIterator[RedisServer]:
    """A fresh Redis; it is gone when the block ends. Raises `UsageError` when redis-server is not installed."""
    server = RedisServer()
    try:
        await server.start()
        yield server
    finally:
        await complete_even_if_cancelled(server.close())


def _free_port() -> int:
    """One that no outgoing connection is given meanwhile: those that systems choose by themselves are above these."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise RedisError("no port is free for Redis")
