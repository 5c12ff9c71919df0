"""Subscription to the messages of other processes, through Redis.

A subscription can stop working without an error. So each process publishes heartbeats, and must receive its own
heartbeats from Redis. If these heartbeats do not arrive, the process subscribes again.
"""

import asyncio
import itertools
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
from prometheus_client import CollectorRegistry, Counter
from redis import asyncio as redis
from redis.exceptions import ResponseError

from ..observability import log
from ..orders import DISCONNECT, EMIT, MOVE
from ..redis_url import CONNECTION_ERRORS, connection_options
from ..settings import Settings
from .refused_commands import RefusedCommands

# messages that programs outside may publish, each without an envelope
OUTSIDE = frozenset({EMIT, MOVE, DISCONNECT})
# time between two attempts to reach Redis
RETRY_SECONDS = 0.2
# messages in a row, before the event loop may do something else
MESSAGES_PER_TURN = 32
# processes whose last message is remembered: more than a server has, and a bound, as anybody may write a name
SENDERS = 1024
NAME_LENGTH = 64


class RedisSubscriber:
    """The subscription of one process to the Redis channel for emits.

    Processes publish envelopes: `{"from": name, "first": number, "messages": [...]}`. `name` is the name of the sender,
    and `number` is the sequence number of the first message in the envelope. A process also receives its own envelopes,
    and counts them as heartbeats.
    """

    def __init__(
        self,
        name: str,
        channel: str,
        settings: Settings,
        registry: CollectorRegistry,
        missed: Counter,
        refused: RefusedCommands,
    ) -> None:
        self.has_own_heartbeat = False
        # set when messages may have been missed, as soon as the subscription works again
        self.has_missed = asyncio.Event()
        self._is_new = True
        self._name, self._channel = name, channel
        self._connect_seconds = settings.redis_seconds
        self._deaf_seconds = settings.redis_deaf_seconds
        # no timeout on this socket: silence between messages is normal
        self._options = connection_options(
            settings, socket_connect_timeout=settings.redis_seconds, socket_keepalive=True
        )
        # the number of the next message, by process
        self._expected: OrderedDict[str, int] = OrderedDict()
        self._heartbeat_at = time.monotonic()
        self._is_lost = self._is_stale = False
        self._received = Counter("server_redis_heard", "Emits received from other processes.", registry=registry)
        self._ignored = Counter("server_redis_ignored", "Messages on the channel of no known form.", registry=registry)
        self._missed, self._refused = missed, refused

    @property
    def silent_seconds(self) -> float:
        """Seconds since this process last received its own heartbeat. `restart_silence` sets this value to 0."""
        return time.monotonic() - self._heartbeat_at

    def restart_silence(self) -> None:
        """Set `silent_seconds` to 0, and `has_own_heartbeat` to False.

        `silent_seconds` then grows until the next heartbeat of this process. Call this when Redis is up again: the new
        subscription needs a moment until its first heartbeat.
        """
        self._heartbeat_at = time.monotonic()
        self.has_own_heartbeat = False

    def renew(self) -> None:
        """Subscribe again soon, on a new connection. The host name of Redis is then resolved again."""
        self._is_stale = True

    def ignore(self) -> None:
        """Count a received message that this server does not accept."""
        self._ignored.inc()

    async def messages(self, on_subscribe: Callable[[], None]) -> AsyncIterator[dict[str, Any]]:
        """Yield other processes' messages without end. Call `on_subscribe` after each new subscription."""
        while True:
            self._is_stale, self._is_new = False, True
            client = redis.Redis.from_pool(redis.ConnectionPool(**self._options))
            try:
                async with client, client.pubsub(ignore_subscribe_messages=True) as subscription:
                    # a server that accepts the connection and never answers would hold this without end
                    async with asyncio.timeout(self._connect_seconds):
                        await subscription.subscribe(self._channel)
                    on_subscribe()
                    async for message in self._read_until_silent(subscription):
                        yield message
            except CONNECTION_ERRORS as error:
                self._note_loss(error)
                await asyncio.sleep(RETRY_SECONDS)

    def _note_loss(self, error: Exception) -> None:
        if isinstance(error, ResponseError):
            self._refused.count(error)
        if not self._is_lost:
            self._is_lost = True
            log.warning("redis subscription lost", error=type(error).__name__)

    async def _read_until_silent(self, subscription: Any) -> AsyncIterator[dict[str, Any]]:
        """Yield the messages of `subscription` until `renew` is called.

        Raise `TimeoutError` if this process has not received its own heartbeat for too long.
        """
        started_at = time.monotonic()
        for turn in itertools.count(1):
            # not longer, so that `renew` takes effect soon
            packet = await subscription.get_message(timeout=RETRY_SECONDS)
            if packet is None and time.monotonic() - max(self._heartbeat_at, started_at) > self._deaf_seconds:
                raise TimeoutError
            for message in self._decode(packet):
                yield message
            if self._is_stale:
                return
            if not turn % MESSAGES_PER_TURN:
                await asyncio.sleep(0)

    def _decode(self, packet: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return the messages in one packet from Redis.

        A packet is an envelope (a batch of messages from one process), or one message of another program, such as an
        emit of a write-only manager. An envelope of this process itself counts only as a heartbeat, and the list is
        empty. A packet in an unknown format, for example of another release, is counted and ignored.
        """
        if packet is None:
            return []
        try:
            envelope = orjson.loads(packet["data"])
        except orjson.JSONDecodeError:
            envelope = None
        match envelope:
            case {"from": self._name, "messages": _}:
                self._note_heartbeat()
                return []
            case {"from": str(name), "first": int(first), "messages": [*messages]} if len(name) <= NAME_LENGTH:
                self._count_missed(name, first, len(messages))
                self._received.inc(len(messages))
                return [message for message in messages if isinstance(message, dict)]
            case {"method": str(method)} if method in OUTSIDE:
                self._received.inc()
                return [envelope]
        self.ignore()
        return []

    def _note_heartbeat(self) -> None:
        self._heartbeat_at = time.monotonic()
        self.has_own_heartbeat = True
        if self._is_new:
            self._is_new = False
            self.has_missed.set()
        if self._is_lost:
            self._is_lost = False
            log.info("redis subscription works")

    def _count_missed(self, name: str, first: int, count: int) -> None:
        expected = self._expected.pop(name, first)
        if first > expected:
            self._missed.inc(first - expected)
            self.has_missed.set()
        self._expected[name] = first + count
        if len(self._expected) > SENDERS:
            # the process that was silent longest
            self._expected.popitem(last=False)
