"""Starts and stops a real Redis server on a loopback port."""

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
MISSING = "redis-server is not installed, and several processes need a shared Redis: apt install redis-server"


class RedisError(Exception):
    """Redis did not start; the message is one line."""


def redis_program() -> str:
    """Return the path of the program redis-server.

    Raises `UsageError` when it is not installed.
    """
    found = shutil.which("redis-server")
    if found is None:
        raise UsageError(MISSING)
    return found


class RedisServer:
    """One Redis server that stores nothing on disk.

    It can be stopped and started again on the same port. If `port` is None, it uses a free port. Raises `UsageError`
    when redis-server is not installed.
    """

    def __init__(self, *, port: int | None = None) -> None:
        program = redis_program()
        self.port = port if port is not None else _free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="lab-redis-")
        address = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", self._folder.name]
        no_persistence = ["--save", "", "--appendonly", "no"]
        self._program = Program([program, *address, *no_persistence], Path(self._folder.name))

    @property
    def url(self) -> str:
        """The URL of this Redis server, for the setting `SERVER_REDIS_URL`."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Start Redis and wait until it accepts connections; raises `RedisError`."""
        lines_before = len(self._program.lines)
        await self._program.start()
        try:
            async with asyncio.timeout(START_SECONDS):
                # read its log instead of connecting, because another program may listen on that port
                while not any(READY in line for line in self._program.lines[lines_before:]):
                    if not self._program.is_running:
                        raise RedisError(f"redis-server did not start: {self._program.last_line}")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise RedisError(f"redis-server does not listen after {START_SECONDS:.0f} s") from None

    async def stop(self) -> None:
        """Kill Redis without a graceful shutdown; all its data is lost."""
        await self._program.stop()

    async def close(self) -> None:
        """Stop Redis and remove its temporary files."""
        await self.stop()
        self._folder.cleanup()

    async def subscribers(self, prefix: str) -> int:
        """Return how many clients subscribe to the channel that starts with `prefix`.

        If there are several such channels, the result is the largest number of clients.
        """
        async with Redis(port=self.port) as client:
            channels = await client.pubsub_channels(f"{prefix}*")
            counts = await client.pubsub_numsub(*channels) if channels else []
        return max((count for _, count in counts), default=0)


@asynccontextmanager
async def running_redis() -> AsyncIterator[RedisServer]:
    """Run a new Redis server until the `async with` block ends.

    Raises `UsageError` when redis-server is not installed.
    """
    server = RedisServer()
    try:
        await server.start()
        yield server
    finally:
        await complete_even_if_cancelled(server.close())


def _free_port() -> int:
    """Return a free port below the ephemeral range.

    The operating system gives ports of the ephemeral range to outgoing connections. So no connection takes this port
    before Redis starts.
    """
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise RedisError("no port is free for Redis")
