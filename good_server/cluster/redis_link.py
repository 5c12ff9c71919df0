"""The link between one process and Redis, to publish and to read.

While Redis is down, the server continues, and counts the messages that are lost.
"""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Literal, TypeVar

import orjson
from prometheus_client import Counter, Gauge
from redis.exceptions import ResponseError

from ..background import Background
from ..observability import Metrics, log
from ..redis_url import CONNECTION_ERRORS
from ..settings import Settings
from .redis_pool import RedisPool, RedisUnavailable
from .redis_subscriber import RETRY_SECONDS, RedisSubscriber
from .refused_commands import READONLY, RefusedCommands

HEARTBEAT_SECONDS = 1.0
# emits that come faster than Redis takes them travel together, in one message
BATCH_SIZE = 256
# the name of the long-lived task, in the log and in `/readyz`
SENDER = "redis sender"

State = Literal["up", "down", "deaf"]
T = TypeVar("T")


class RedisLink:
    """The link of one process to Redis: connections and a subscription.

    `query` waits for a reply, with a timeout. `publish` and `run_later` never wait.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.name = uuid.uuid4().hex
        # whether Redis publishes; a Redis that refuses other commands is still up
        self.is_up = False
        self.background = Background(metrics)
        self.on_reconnect: list[Callable[[], None]] = []
        # wraps each send of messages to Redis, with their count; `tracing/` replaces it
        self.around_send: Callable[[int], AbstractContextManager[Any]] = nullcontext
        # called before each heartbeat, to queue commands that travel with it
        self.on_heartbeat: list[Callable[[], None]] = []
        # the first part of all keys and channels
        self.prefix = settings.redis_prefix
        self._deaf_seconds = settings.redis_deaf_seconds
        self._max_waiting = settings.redis_waiting
        self._heartbeat_at = 0.0
        # one send at a time: two connections would not keep the order
        self._send_lock = asyncio.Lock()
        self._outgoing: deque[bytes] = deque()
        self._commands: deque[tuple[Any, ...]] = deque()
        # the number of the next emit
        self._sequence = 0
        self._has_work = asyncio.Event()
        # why Redis refuses to publish
        self._publish_refusal = ""
        registry = metrics.registry
        self._up = Gauge("server_redis_up", "Whether Redis answers, 0 or 1.", registry=registry)
        self._published = Counter("server_redis_published", "Emits published to other processes.", registry=registry)
        self._lost = Counter("server_redis_lost", "Emits lost between processes.", ["reason"], registry=registry)
        self._refused = RefusedCommands(registry)
        self._refused.on_over.append(self._catch_up)
        self._connections = RedisPool(settings, self._refused)
        self.pool = self._connections.pool
        missed = self._lost.labels("unheard")
        self._subscriber = RedisSubscriber(self.name, self.channel, settings, registry, missed, self._refused)
        # set when messages of other processes may have been missed; the task that handles it clears it
        self.has_missed = self._subscriber.has_missed

    @property
    def channel(self) -> str:
        """Name of the Redis channel for emits.

        Other programs may publish emits there with a write-only manager of python-socketio.
        """
        return self.key("rooms")

    @property
    def state(self) -> State:
        """The state of this link: `up`, `down` or `deaf`.

        `down`: Redis does not answer, or refuses to publish. `deaf`: Redis is up, but this process has not received its
        own heartbeat for too long.
        """
        if not self.is_up:
            return "down"
        return "deaf" if self._subscriber.silent_seconds > self._deaf_seconds else "up"

    @property
    def has_own_heartbeat(self) -> bool:
        """True when this process has received its own heartbeat from Redis. This shows that its subscription works."""
        return self._subscriber.has_own_heartbeat

    @property
    def detail(self) -> str:
        """What Redis refuses now, as text, such as `redis refuses writes (OOM)`. Empty if it refuses nothing."""
        return f"redis refuses to publish ({self._publish_refusal})" if self._publish_refusal else self._refused.detail

    def key(self, *parts: str) -> str:
        """Return a Redis key: this server's prefix and `parts`, joined by colons."""
        return ":".join((self.prefix, *parts))

    async def start(self) -> None:
        """Start the task that sends queued messages and commands to Redis. While Redis is down, the task retries."""
        await self._send()
        self.background.start(SENDER, self._send_loop)

    async def stop(self) -> None:
        """Unsubscribe, send the waiting messages and commands, then disconnect from Redis."""
        # not in the middle of a send: its messages would be neither sent nor kept
        async with self._send_lock:
            await self.background.stop()
        while self.is_up and (self._outgoing or self._commands):
            await self._send()
        await self._connections.close()

    async def query(self, question: Callable[[Any], Awaitable[T]]) -> T:
        """Call `question` with the Redis client, and return its result.

        Raise `RedisUnavailable` if Redis is down, does not answer in time, or refuses the command.
        """
        if not self.is_up:
            raise RedisUnavailable
        # one late answer is no outage: publishing decides, at once
        return await self._connections.ask(question, lambda: self.is_up, self._has_work.set)

    def publish(self, message: dict[str, Any]) -> None:
        """Queue `message` for the other processes, without waiting.

        If Redis is down or the queue is full, drop the message and count it as lost.
        """
        if not self.is_up or len(self._outgoing) >= self._max_waiting:
            # it gets a number all the same: the receivers see the gap at the next message
            self._sequence += 1
            self._lost.labels("full" if self.is_up else "away").inc()
            return
        self._outgoing.append(orjson.dumps(message))
        self._has_work.set()

    def run_later(self, *command: Any) -> None:
        """Queue a Redis command, without waiting. While Redis is down, skip the command."""
        if self.is_up:
            self._commands.append(command)
            self._has_work.set()

    def messages(self) -> AsyncIterator[dict[str, Any]]:
        """Yield the messages of other processes, without end."""
        # a new subscription triggers a heartbeat at once, so that nobody has to wait for the next one
        return self._subscriber.messages(self._has_work.set)

    def ignore(self) -> None:
        """Count a received message that this server does not accept."""
        self._subscriber.ignore()

    async def _send_loop(self) -> None:
        # an empty envelope is a heartbeat, which its sender receives too
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._has_work.wait()
            self._has_work.clear()
            self._prepare_heartbeat()
            await self._send()
            while self._outgoing or self._commands:
                await self._send()
            if not self.is_up:
                # a pause after every fall, and no second line in the log
                await asyncio.sleep(RETRY_SECONDS)
                self._has_work.set()

    def _prepare_heartbeat(self) -> None:
        now = time.monotonic()
        if now < self._heartbeat_at:
            return
        self._heartbeat_at = now + HEARTBEAT_SECONDS
        for callback in self.on_heartbeat:
            callback()
        self._refused.end_old()

    async def _send(self) -> None:
        """Send queued messages and commands to Redis, at most `BATCH_SIZE` of each."""
        async with self._send_lock:
            await self._send_batch()

    async def _send_batch(self) -> None:
        emits = [self._outgoing.popleft() for _ in range(min(BATCH_SIZE, len(self._outgoing)))]
        commands = [self._commands.popleft() for _ in range(min(BATCH_SIZE, len(self._commands)))]
        head = b'{"from":"%s","first":%d,"messages":[' % (self.name.encode(), self._sequence)
        self._sequence += len(emits)
        publish = ("PUBLISH", self.channel, head + b",".join(emits) + b"]}")
        # counted as lost until Redis has them, whatever happens
        lost = "failed"
        try:
            # heartbeats without a message are no work of a user
            with self.around_send(len(emits)) if emits else nullcontext():
                answers = await self._connections.run([publish, *commands])
            lost = ""
        except CONNECTION_ERRORS as error:
            lost = "refused" if isinstance(error, ResponseError) else "away"
            self._mark_down(error)
            return
        finally:
            (self._lost.labels(lost) if lost else self._published).inc(len(emits))
        self._mark_up()
        self._judge(answers)

    def _judge(self, answers: list[Any]) -> None:
        """Count the errors in `answers`, the replies of Redis to queued commands.

        The error `READONLY` means that this Redis is a replica. Then open new connections, to find the primary. When no
        reply has this error any more, open a new connection for the subscription, too.
        """
        codes = {self._refused.count(answer) for answer in answers if isinstance(answer, Exception)}
        if READONLY not in self._refused:
            return
        if answers and READONLY not in codes:
            # all queued commands write, so the new connection leads to the primary: the subscription follows
            self._refused.end(READONLY)
            self._subscriber.renew()
            return
        # the next command opens a new connection, and its name is resolved again
        self._connections.reconnect()

    def _mark_down(self, error: Exception) -> None:
        self._publish_refusal = self._refused.count(error) if isinstance(error, ResponseError) else ""
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
        self._publish_refusal = ""
        self._up.set(1)
        self._subscriber.restart_silence()
        log.info("redis is available")
        self._catch_up()

    def _catch_up(self) -> None:
        """Call the functions in `on_reconnect`. They repeat commands that Redis missed or refused."""
        for callback in self.on_reconnect:
            callback()
