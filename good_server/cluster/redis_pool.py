"""The pooled connections of one process to Redis. Each query and each command has a timeout."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from redis import asyncio as redis
from redis.exceptions import ResponseError

from ..redis_url import CONNECTION_ERRORS, connection_options
from ..settings import Settings
from .refused_commands import RefusedCommands

# queries at the same time; each waits for its answer, so more would only wait inside Redis
CONNECTIONS = 32
# after a query without an answer, the next ones do not wait for a late Redis for this long
QUERY_PAUSE_SECONDS = 1.0

T = TypeVar("T")


class RedisUnavailable(Exception):
    """Raised when Redis does not answer in time, or refuses a command. The caller continues without Redis."""


class RenewablePool(redis.BlockingConnectionPool):
    """Connection pool that can close and reopen all its connections.

    A connection that is in use is reopened before its next use.
    """

    def mark_all(self) -> None:
        """Mark all connections, so that each is reopened before its next use."""
        # `disconnect` would also close one that was taken a moment ago
        for connection in (*self._available_connections, *self._in_use_connections):
            connection.mark_for_reconnect()  # type: ignore[no-untyped-call]

    async def ensure_connection(self, connection: Any) -> None:
        if connection.should_reconnect():
            await connection.disconnect()
        await super().ensure_connection(connection)


class RedisPool:
    """The pooled connections of one process to Redis."""

    def __init__(self, settings: Settings, refused: RefusedCommands) -> None:
        seconds = settings.redis_seconds
        timeouts = {"timeout": seconds, "socket_timeout": seconds, "socket_connect_timeout": seconds}
        # one more for publishing, so that no query delays it
        options = connection_options(settings, max_connections=CONNECTIONS + 1, **timeouts)
        self.pool = RenewablePool(**options)
        self._redis = redis.Redis(connection_pool=self.pool)
        self._timeout_seconds = seconds
        # first come, first served; the pool's own queue lets newcomers pass, and some would wait without end
        self._query_slots = asyncio.Semaphore(CONNECTIONS)
        self._query_at = 0.0
        self._refused = refused

    async def ask(
        self, question: Callable[[Any], Awaitable[T]], is_up: Callable[[], bool], on_late: Callable[[], None]
    ) -> T:
        """Call `question` with the Redis client, and return its result.

        Raise `RedisUnavailable` if Redis refuses the command or does not answer in time. If Redis does not answer, also
        call `on_late`. For a short time after that, and while `is_up()` is false, do not ask Redis, and raise
        `RedisUnavailable` immediately.
        """
        async with self._query_slots:
            # waiting for a slot is not part of the timeout; Redis may have failed meanwhile
            if not is_up() or time.monotonic() < self._query_at:
                raise RedisUnavailable
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    return await question(self._redis)
            except ResponseError as error:
                self._refused.count(error)
            except CONNECTION_ERRORS:
                self._query_at = time.monotonic() + QUERY_PAUSE_SECONDS
                on_late()
            raise RedisUnavailable from None

    async def run(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Send `commands` in one pipeline, and return the replies except the first.

        The first command is the caller's `PUBLISH`. If Redis refuses this command, raise that error. If Redis refuses
        another command, the reply in the list is the error.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        async with asyncio.timeout(self._timeout_seconds):
            first, *others = await pipeline.execute(raise_on_error=False)
        if isinstance(first, Exception):
            raise first
        return others

    def reconnect(self) -> None:
        """Reopen each connection before its next use. A new connection resolves the host name of Redis again."""
        self.pool.mark_all()

    async def close(self) -> None:
        """Close all connections."""
        await self.pool.disconnect()
