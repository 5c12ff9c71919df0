"""Answers for what is heard from other processes: a lost connection is made again, a silent one is given up.

A listener can go deaf in silence, so each process listens for its own heartbeat.
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

# what redis-py raises where there is no Redis; the last is uvloop's word for a connection that has just been lost
AWAY = (RedisError, OSError, TimeoutError, RuntimeError)
# between two attempts at a Redis that is away
RETRY_SECONDS = 0.2
# messages in a row before the loop may do something else
TURN = 32


class RedisSubscriber:
    """One process's ear. An envelope is `{"from": name, "first": number, "messages": [...]}`, in JSON."""

    def __init__(
        self, name: str, channel: str, settings: Settings, registry: CollectorRegistry, unheard: Counter
    ) -> None:
        self.has_heard = False
        self._name, self._channel = name, channel
        self._url = settings.redis_url.get_secret_value() if settings.redis_url is not None else ""
        self._connect_seconds = settings.redis_seconds
        self._deaf_seconds = settings.redis_deaf_seconds
        self._heard_from: dict[str, int] = {}
        self._heard_at = time.monotonic()
        self._heard = Counter("server_redis_heard", "Emits heard from other processes.", registry=registry)
        self._unheard = unheard

    @property
    def silent_seconds(self) -> float:
        """How long ago the own heartbeat came back, or the ear was begun with anew."""
        return time.monotonic() - self._heard_at

    def begin_anew(self) -> None:
        """Redis answers again: the ear has its time to hear of it."""
        self._heard_at = time.monotonic()
        self.has_heard = False

    async def messages(self, begun: Callable[[], None]) -> AsyncIterator[dict[str, Any]]:
        """What other processes say, for ever; `begun` is called whenever a connection has begun to listen."""
        while True:
            # no timeout for its socket: silence between messages is no fault
            client = redis.Redis.from_url(
                self._url, socket_connect_timeout=self._connect_seconds, socket_keepalive=True
            )
            try:
                async with client, client.pubsub(ignore_subscribe_messages=True) as subscription:
                    await subscription.subscribe(self._channel)
                    begun()
                    async for message in self._until_silent(subscription):
                        yield message
            except AWAY as error:
                log.warning("redis is not heard", error=type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)

    async def _until_silent(self, subscription: Any) -> AsyncIterator[dict[str, Any]]:
        """Until nothing came for so long that the own heartbeats must have been missed."""
        began_at = time.monotonic()
        for turn in itertools.count(1):
            packet = await subscription.get_message(timeout=self._deaf_seconds)
            if packet is None and time.monotonic() - max(self._heard_at, began_at) > self._deaf_seconds:
                raise TimeoutError
            for message in self._opened(packet):
                yield message
            if not turn % TURN:
                await asyncio.sleep(0)

    def _opened(self, packet: dict[str, Any] | None) -> list[dict[str, Any]]:
        """The messages of one packet: of another process, or of a write-only manager, which sends them bare.

        What has another form, as another release may send it, is passed over: an error here would be deaf for a while.
        """
        if packet is None:
            return []
        try:
            envelope = orjson.loads(packet["data"])
        except orjson.JSONDecodeError:
            return []
        match envelope:
            case {"from": self._name, "messages": _}:
                self._heard_at = time.monotonic()
                self.has_heard = True
            case {"from": str(name), "first": int(first), "messages": [*messages]}:
                self._look_for_gaps(name, first, len(messages))
                self._heard.inc(len(messages))
                return [message for message in messages if isinstance(message, dict)]
            case {"method": str()}:
                self._heard.inc()
                return [envelope]
        return []

    def _look_for_gaps(self, name: str, first: int, count: int) -> None:
        expected = self._heard_from.get(name, first)
        if first > expected:
            self._unheard.inc(first - expected)
        self._heard_from[name] = first + count
