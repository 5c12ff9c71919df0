"""Answers for the line to Redis: what is said and heard on it, how long is waited for it, whether it can be believed.

Redis carries, it does not decide: whatever fails here is done without it, and counted.
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

from ..cluster.redis_subscriber import AWAY, RETRY_SECONDS, RedisSubscriber
from ..observability import Metrics, log
from ..settings import Settings

BEAT_SECONDS = 1.0
# several emits travel as one message when they come faster than Redis takes them
BATCH = 256
# before a task that goes on all the same is cancelled again
CANCEL_SECONDS = 0.2
# questions at once; each waits for its answer, so more would only wait elsewhere
CONNECTIONS = 32

State = Literal["up", "away", "deaf"]
T = TypeVar("T")


async def end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancels until they have ended: before Python 3.12 `asyncio.wait_for`, which redis-py uses, may swallow one."""
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=CANCEL_SECONDS)


class Away(Exception):
    """Redis did not answer in time; what was asked is done without it."""


class Link:
    """One process's line to Redis. `ask` waits for an answer, briefly; `say` and `note` wait for nothing."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.name = uuid.uuid4().hex
        self.is_up = False
        self.on_return: list[Callable[[], None]] = []
        self._prefix = settings.redis_prefix
        self._seconds = settings.redis_seconds
        self._deaf_seconds = settings.redis_deaf_seconds
        self._most_waiting = settings.redis_waiting
        self._url = settings.redis_url.get_secret_value() if settings.redis_url is not None else ""
        self.pool = redis.BlockingConnectionPool.from_url(
            self._url,
            # one more for what is said: no question holds it up
            max_connections=CONNECTIONS + 1,
            timeout=self._seconds,
            socket_timeout=self._seconds,
            socket_connect_timeout=self._seconds,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis = redis.Redis(connection_pool=self.pool)
        # in the order they came; the pool's own queue would let newcomers pass, and some wait for ever
        self._turns = asyncio.Semaphore(CONNECTIONS)
        # one delivery after the other: two connections would keep no order
        self._delivering = asyncio.Lock()
        self._spoken: deque[bytes] = deque()
        self._notes: deque[tuple[Any, ...]] = deque()
        self._said = 0
        self._something = asyncio.Event()
        self._talking: asyncio.Task[None] | None = None
        registry = metrics.registry
        self._up = Gauge("server_redis_up", "Whether Redis answers, 0 or 1.", registry=registry)
        self._published = Counter("server_redis_published", "Emits told to other processes.", registry=registry)
        self._lost = Counter("server_redis_lost", "Emits lost between processes.", ["reason"], registry=registry)
        self._hearing = RedisSubscriber(self.name, self.channel, settings, registry, self._lost.labels("unheard"))

    @property
    def channel(self) -> str:
        """Where processes tell each other what they emit; a write-only manager of the library may write to it."""
        return self.key("rooms")

    @property
    def state(self) -> State:
        """`away` while Redis does not answer; `deaf` when it does, and yet the own heartbeat does not come back."""
        if not self.is_up:
            return "away"
        return "deaf" if self._hearing.silent_seconds > self._deaf_seconds else "up"

    @property
    def has_heard(self) -> bool:
        """Whether the own heartbeat has come back since Redis last answered anew: nothing is missed from then on."""
        return self._hearing.has_heard

    def key(self, *parts: str) -> str:
        """A key of this product's own."""
        return ":".join((self._prefix, *parts))

    async def start(self) -> None:
        """Begins to talk; without Redis it begins all the same."""
        await self._deliver()
        self._talking = asyncio.create_task(self._talk())

    async def stop(self) -> None:
        """Says what is still to be said, for as long as an answer may take, and hangs up."""
        # not while something is being said: it would be neither said nor kept
        async with self._delivering:
            if self._talking is not None:
                await end([self._talking])
        while self.is_up and (self._spoken or self._notes):
            await self._deliver()
        await self.pool.disconnect()

    async def ask(self, question: Callable[[Any], Awaitable[T]]) -> T:
        """The answer; raises `Away` when there is none in time, and at once while there is no Redis."""
        if not self.is_up:
            raise Away
        async with self._turns:
            # the wait for one's turn is not Redis's silence, and no part of the deadline; it may have gone meanwhile
            if not self.is_up:
                raise Away
            try:
                async with asyncio.timeout(self._seconds):
                    return await question(self._redis)
            except AWAY as error:
                self._fall(error)
                # one answer that is late is no outage: Redis is asked again right away
                self._something.set()
                raise Away from None

    def say(self, message: dict[str, Any]) -> None:
        """Tells the other processes, soon; what cannot be told is lost, and counted."""
        if not self.is_up or len(self._spoken) >= self._most_waiting:
            # numbered all the same: whoever hears the next one knows that some are missing
            self._said += 1
            self._lost.labels("full" if self.is_up else "away").inc()
            return
        self._spoken.append(orjson.dumps(message))
        self._something.set()

    def note(self, *command: Any) -> None:
        """Runs a command, soon, and waits for no answer; without Redis it is left out."""
        if self.is_up:
            self._notes.append(command)
            self._something.set()

    def heard(self) -> AsyncIterator[dict[str, Any]]:
        """What other processes say, for ever."""
        # a heartbeat right away: who waits to be heard need not wait for the next one
        return self._hearing.messages(self._something.set)

    async def _talk(self) -> None:
        """Says what there is at once. Nothing said is a heartbeat too: an empty envelope, which its sender hears."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_SECONDS if self.is_up else RETRY_SECONDS):
                    await self._something.wait()
            self._something.clear()
            await self._deliver()
            while self._spoken or self._notes:
                await self._deliver()

    async def _deliver(self) -> None:
        """Sends what waits, in one go; an envelope of emits, then the commands."""
        async with self._delivering:
            await self._deliver_next()

    async def _deliver_next(self) -> None:
        emits = [self._spoken.popleft() for _ in range(min(BATCH, len(self._spoken)))]
        notes = [self._notes.popleft() for _ in range(min(BATCH, len(self._notes)))]
        head = b'{"from":"%s","first":%d,"messages":[' % (self.name.encode(), self._said)
        self._said += len(emits)
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.publish(self.channel, head + b",".join(emits) + b"]}")
        for command in notes:
            pipeline.execute_command(*command)
        try:
            async with asyncio.timeout(self._seconds):
                await pipeline.execute()
        except AWAY as error:
            self._lost.labels("away").inc(len(emits))
            self._fall(error)
            return
        self._published.inc(len(emits))
        self._rise()

    def _fall(self, error: Exception) -> None:
        if not self.is_up:
            return
        self.is_up = False
        self._up.set(0)
        # what waits would come too late, and twice
        self._lost.labels("away").inc(len(self._spoken))
        self._said += len(self._spoken)
        self._spoken.clear()
        self._notes.clear()
        log.warning("redis is away", error=type(error).__name__)

    def _rise(self) -> None:
        if self.is_up:
            return
        self.is_up = True
        self._up.set(1)
        # the listener is given its time again
        self._hearing.begin_anew()
        log.info("redis answers")
        for tell in self.on_return:
            tell()
