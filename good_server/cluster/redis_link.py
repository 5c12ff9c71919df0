"""One process's connection to Redis, for messages and queries.

The server continues without Redis, and counts the messages that are lost.
"""

import asyncio
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeVar

import orjson
from prometheus_client import Counter, Gauge
from redis import asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ..observability import Metrics, log
from ..settings import Settings
from .redis_subscriber import CONNECTION_ERRORS, RETRY_SECONDS, RedisSubscriber

HEARTBEAT_SECONDS = 1.0
# emits that come faster than Redis takes them travel together, in one message
BATCH_SIZE = 256
# time until a task that ignored its cancellation is cancelled again
CANCEL_SECONDS = 0.2
# queries at the same time; each waits for its answer, so more would only wait inside Redis
CONNECTIONS = 32

State = Literal["up", "down", "deaf"]
T = TypeVar("T")


async def cancel_all(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks, again and again, until all of them have ended."""
    # before Python 3.12 `asyncio.wait_for`, which redis-py uses, may swallow a cancellation
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=CANCEL_SECONDS)


class RedisUnavailable(Exception):
    """Redis did not answer in time. The caller continues without Redis."""


class RedisLink:
    """The connection of one process to Redis. `query` has a timeout; `publish` and `run_later` never wait."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.name = uuid.uuid4().hex
        self.is_up = False
        self.on_reconnect: list[Callable[[], None]] = []
        self._prefix = settings.redis_prefix
        self._timeout_seconds = settings.redis_seconds
        self._deaf_seconds = settings.redis_deaf_seconds
        self._max_waiting = settings.redis_waiting
        self.pool = _create_pool(settings)
        self._redis = redis.Redis(connection_pool=self.pool)
        # first come, first served; the pool's own queue lets newcomers pass, and some would wait without end
        self._query_slots = asyncio.Semaphore(CONNECTIONS)
        # one send at a time: two connections would not keep the order
        self._send_lock = asyncio.Lock()
        self._outgoing: deque[bytes] = deque()
        self._commands: deque[tuple[Any, ...]] = deque()
        # the number of the next emit
        self._sequence = 0
        self._has_work = asyncio.Event()
        self._send_task: asyncio.Task[None] | None = None
        registry = metrics.registry
        self._up = Gauge("server_redis_up", "Whether Redis answers, 0 or 1.", registry=registry)
        self._published = Counter("server_redis_published", "Emits published to other processes.", registry=registry)
        self._lost = Counter("server_redis_lost", "Emits lost between processes.", ["reason"], registry=registry)
        self._subscriber = RedisSubscriber(self.name, self.channel, settings, registry, self._lost.labels("unheard"))

    @property
    def channel(self) -> str:
        """The Redis channel for emits. A write-only manager of python-socketio may publish to it, too."""
        return self.key("rooms")

    @property
    def state(self) -> State:
        """State of the link. `down`: no answer from Redis; `deaf`: this process misses its own heartbeat."""
        if not self.is_up:
            return "down"
        return "deaf" if self._subscriber.silent_seconds > self._deaf_seconds else "up"

    @property
    def has_own_heartbeat(self) -> bool:
        """True when Redis has returned this process's own heartbeat. After that no message is missed."""
        return self._subscriber.has_own_heartbeat

    def key(self, *parts: str) -> str:
        """Return a Redis key with the prefix of this server."""
        return ":".join((self._prefix, *parts))

    async def start(self) -> None:
        """Start sending to Redis, also when Redis is down."""
        await self._send()
        self._send_task = asyncio.create_task(self._send_loop())

    async def stop(self) -> None:
        """Send the waiting messages and commands, then disconnect from Redis."""
        # not in the middle of a send: its messages would be neither sent nor kept
        async with self._send_lock:
            if self._send_task is not None:
                await cancel_all([self._send_task])
        while self.is_up and (self._outgoing or self._commands):
            await self._send()
        await self.pool.disconnect()

    async def query(self, question: Callable[[Any], Awaitable[T]]) -> T:
        """Return the answer of Redis to `question`. Raise `RedisUnavailable` when there is none in time."""
        if not self.is_up:
            raise RedisUnavailable
        async with self._query_slots:
            # waiting for a slot is not part of the timeout; Redis may have failed meanwhile
            if not self.is_up:
                raise RedisUnavailable
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    return await question(self._redis)
            except CONNECTION_ERRORS as error:
                self._mark_down(error)
                # one late answer is no outage: try Redis again at once
                self._has_work.set()
                raise RedisUnavailable from None

    def publish(self, message: dict[str, Any]) -> None:
        """Queue a message for the other processes, without waiting. A lost message is counted."""
        if not self.is_up or len(self._outgoing) >= self._max_waiting:
            # it gets a number all the same: the receivers see the gap at the next message
            self._sequence += 1
            self._lost.labels("full" if self.is_up else "away").inc()
            return
        self._outgoing.append(orjson.dumps(message))
        self._has_work.set()

    def run_later(self, *command: Any) -> None:
        """Queue a Redis command, without waiting. While Redis is down the command is skipped."""
        if self.is_up:
            self._commands.append(command)
            self._has_work.set()

    def messages(self) -> AsyncIterator[dict[str, Any]]:
        """Yield the messages of other processes, without end."""
        # a new subscription triggers a heartbeat at once, so that nobody has to wait for the next one
        return self._subscriber.messages(self._has_work.set)

    async def _send_loop(self) -> None:
        # an empty envelope is a heartbeat, which its sender receives too
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS if self.is_up else RETRY_SECONDS):
                    await self._has_work.wait()
            self._has_work.clear()
            await self._send()
            while self._outgoing or self._commands:
                await self._send()

    async def _send(self) -> None:
        """Send a batch of waiting messages and commands to Redis."""
        async with self._send_lock:
            await self._send_batch()

    async def _send_batch(self) -> None:
        emits = [self._outgoing.popleft() for _ in range(min(BATCH_SIZE, len(self._outgoing)))]
        commands = [self._commands.popleft() for _ in range(min(BATCH_SIZE, len(self._commands)))]
        head = b'{"from":"%s","first":%d,"messages":[' % (self.name.encode(), self._sequence)
        self._sequence += len(emits)
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.publish(self.channel, head + b",".join(emits) + b"]}")
        for command in commands:
            pipeline.execute_command(*command)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await pipeline.execute()
        except CONNECTION_ERRORS as error:
            self._lost.labels("away").inc(len(emits))
            self._mark_down(error)
            return
        self._published.inc(len(emits))
        self._mark_up()

    def _mark_down(self, error: Exception) -> None:
        if not self.is_up:
            return
        self.is_up = False
        self._up.set(0)
        # waiting messages would arrive too late, and twice
        self._lost.labels("away").inc(len(self._outgoing))
        self._sequence += len(self._outgoing)
        self._outgoing.clear()
        self._commands.clear()
        log.warning("redis is unavailable", error=type(error).__name__)

    def _mark_up(self) -> None:
        if self.is_up:
            return
        self.is_up = True
        self._up.set(1)
        self._subscriber.restart_silence()
        log.info("redis is available")
        for callback in self.on_reconnect:
            callback()


def _create_pool(settings: Settings) -> redis.BlockingConnectionPool:
    seconds = settings.redis_seconds
    return redis.BlockingConnectionPool.from_url(
        settings.redis_url.get_secret_value() if settings.redis_url is not None else "",
        # one more for publishing, so that no query delays it
        max_connections=CONNECTIONS + 1,
        timeout=seconds,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
    )
