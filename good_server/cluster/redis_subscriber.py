"""Subscription to the messages of other processes, through Redis.

It can fail without an error, so each process waits for its own heartbeat. Without heartbeats it subscribes again.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
from prometheus_client import CollectorRegistry, Counter
from redis import asyncio as redis
from redis.exceptions import RedisError

from ..observability import log
from ..settings import Settings

# what redis-py raises without Redis; uvloop raises the last one for a connection that was just lost
CONNECTION_ERRORS = (RedisError, OSError, TimeoutError, RuntimeError)
# time between two attempts to reach Redis
RETRY_SECONDS = 0.2
# messages in a row, before the event loop may do something else
MESSAGES_PER_TURN = 32


class RedisSubscriber:
    """The Redis subscription of one process. An envelope is `{"from": name, "first": number, "messages": [...]}`."""

    def __init__(
        self, name: str, channel: str, settings: Settings, registry: CollectorRegistry, missed: Counter
    ) -> None:
        self.has_own_heartbeat = False
        self._name, self._channel = name, channel
        self._url = settings.redis_url.get_secret_value() if settings.redis_url is not None else ""
        self._connect_seconds = settings.redis_seconds
        self._deaf_seconds = settings.redis_deaf_seconds
        # the number of the next message, by process
        self._expected: dict[str, int] = {}
        self._heartbeat_at = time.monotonic()
        self._received = Counter("server_redis_heard", "Emits received from other processes.", registry=registry)
        self._missed = missed

    @property
    def silent_seconds(self) -> float:
        """Seconds since this process received its own heartbeat, or since `restart_silence`."""
        return time.monotonic() - self._heartbeat_at

    def restart_silence(self) -> None:
        """Set `silent_seconds` to 0. Redis is up again, and a new subscription takes a moment."""
        self._heartbeat_at = time.monotonic()
        self.has_own_heartbeat = False

    async def messages(self, on_subscribe: Callable[[], None]) -> AsyncIterator[dict[str, Any]]:
        """Yield other processes' messages without end. Call `on_subscribe` after each new subscription."""
        while True:
            # no timeout on this socket: silence between messages is normal
            client = redis.Redis.from_url(
                self._url, socket_connect_timeout=self._connect_seconds, socket_keepalive=True
            )
            try:
                async with client, client.pubsub(ignore_subscribe_messages=True) as subscription:
                    await subscription.subscribe(self._channel)
                    on_subscribe()
                    async for message in self._read_until_silent(subscription):
                        yield message
            except CONNECTION_ERRORS as error:
                log.warning("redis subscription lost", error=type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)

    async def _read_until_silent(self, subscription: Any) -> AsyncIterator[dict[str, Any]]:
        """Yield the messages of a subscription. Raise `TimeoutError` when our own heartbeats do not arrive."""
        started_at = time.monotonic()
        for turn in itertools.count(1):
            packet = await subscription.get_message(timeout=self._deaf_seconds)
            if packet is None and time.monotonic() - max(self._heartbeat_at, started_at) > self._deaf_seconds:
                raise TimeoutError
            for message in self._decode(packet):
                yield message
            if not turn % MESSAGES_PER_TURN:
                await asyncio.sleep(0)

    def _decode(self, packet: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return the messages in one packet from Redis.

        A packet is an envelope, or one message of a write-only manager. Other forms, of another release, are ignored.
        """
        if packet is None:
            return []
        try:
            envelope = orjson.loads(packet["data"])
        except orjson.JSONDecodeError:
            return []
        match envelope:
            case {"from": self._name, "messages": _}:
                self._heartbeat_at = time.monotonic()
                self.has_own_heartbeat = True
            case {"from": str(name), "first": int(first), "messages": [*messages]}:
                self._count_missed(name, first, len(messages))
                self._received.inc(len(messages))
                return [message for message in messages if isinstance(message, dict)]
            case {"method": str()}:
                self._received.inc()
                return [envelope]
        return []

    def _count_missed(self, name: str, first: int, count: int) -> None:
        expected = self._expected.get(name, first)
        if first > expected:
            self._missed.inc(first - expected)
        self._expected[name] = first + count
