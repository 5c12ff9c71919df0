"""Idempotency keys that several processes share.

The keys are shared because a client can send an event again after it has reconnected to another process.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from ..idempotency import REMEMBER_SECONDS, IdempotencyCache
from .redis_link import RedisLink
from .redis_pool import RedisUnavailable

# added to the deadline of a handler: a process that claimed a key and has not answered by then is gone
CLAIM_MARGIN_SECONDS = 1.0
# how often a waiting process checks for the answer of another
POLL_SECONDS = 0.05
CLAIMED = b""

Answer = dict[str, Any]


class ClusterIdempotencyCache(IdempotencyCache):
    """Idempotency cache that all processes share through Redis.

    The first process that receives a key claims the key in Redis, handles the event, and stores the ack there. While
    Redis is down, each process knows only its own acks.
    """

    def __init__(self, link: RedisLink, *, handler_seconds: float) -> None:
        super().__init__()
        self._link = link
        self._claim_ms = round((handler_seconds + CLAIM_MARGIN_SECONDS) * 1000)

    async def once(self, user: str, id: str | None, answer: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return the result of `answer`, which runs once per user and id.

        `answer` handles an event of the user, and its result is the ack. `id` is the idempotency key that the client
        sent with the event. Without `id`, `answer` always runs. All processes together run `answer` only once; while
        Redis is down, each process runs `answer` once. A result is remembered for two minutes, an error is not.
        """
        if id is None:
            return await answer()
        key = self._link.key("ack", user, id)
        return await super().once(user, id, lambda: self._once_in_cluster(key, answer))

    async def _once_in_cluster(self, key: str, answer: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            stored = await self._claim(key)
        except RedisUnavailable:
            return await answer()
        if stored is not None:
            return stored
        try:
            result = await answer()
        except BaseException:
            await self._try_query(lambda redis: redis.delete(key))
            raise
        remember_ms = round(REMEMBER_SECONDS * 1000)
        await self._try_query(lambda redis: redis.set(key, orjson.dumps(result), px=remember_ms))
        return result

    async def _claim(self, key: str) -> Answer | None:
        """Claim `key` in Redis for this process, and return None.

        `key` stands for one event of one user. The process that claims `key` handles the event. If another process has
        claimed `key`, wait for the ack of that process, and return the ack. If that process fails, claim `key`.
        """
        while not await self._link.query(lambda redis: redis.set(key, CLAIMED, nx=True, px=self._claim_ms)):
            stored = await self._link.query(lambda redis: redis.get(key))
            if stored:
                answer: Answer = orjson.loads(stored)
                return answer
            await asyncio.sleep(POLL_SECONDS)
        return None

    async def _try_query(self, question: Callable[[Any], Awaitable[Any]]) -> None:
        # when Redis has failed meanwhile, the client still gets its answer
        with contextlib.suppress(RedisUnavailable):
            await self._link.query(question)
