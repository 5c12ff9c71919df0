"""Answers for requests that come twice, to two processes: who lost the ack with its process sends again to the next."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from ..cluster.redis_link import Away, Link
from ..idempotency import REMEMBER_SECONDS, IdempotencyCache

# beyond the deadline of a handler: a process that has claimed an id and does not answer by then is gone
CLAIM_MARGIN_SECONDS = 1.0
# how often it is looked whether another process has answered
LOOK_SECONDS = 0.05
CLAIMED = b""

Answer = dict[str, Any]


class ClusterIdempotencyCache(IdempotencyCache):
    """As in one process, and over it a claim in Redis for each id; without Redis this process alone remembers."""

    def __init__(self, link: Link, *, handler_seconds: float) -> None:
        super().__init__()
        self._link = link
        self._claim_ms = round((handler_seconds + CLAIM_MARGIN_SECONDS) * 1000)

    async def once(self, user: str, id: str | None, answer: Callable[[], Awaitable[Answer]]) -> Answer:
        if id is None:
            return await answer()
        key = self._link.key("ack", user, id)
        return await super().once(user, id, lambda: self._once_of_all(key, answer))

    async def _once_of_all(self, key: str, answer: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            known = await self._claim(key)
        except Away:
            return await answer()
        if known is not None:
            return known
        try:
            given = await answer()
        except BaseException:
            await self._remember(lambda redis: redis.delete(key))
            raise
        kept_ms = round(REMEMBER_SECONDS * 1000)
        await self._remember(lambda redis: redis.set(key, orjson.dumps(given), px=kept_ms))
        return given

    async def _claim(self, key: str) -> Answer | None:
        """What another process has answered, or None when it is for this one to answer; waits while one is at it."""
        while not await self._link.ask(lambda redis: redis.set(key, CLAIMED, nx=True, px=self._claim_ms)):
            kept = await self._link.ask(lambda redis: redis.get(key))
            if kept:
                given: Answer = orjson.loads(kept)
                return given
            await asyncio.sleep(LOOK_SECONDS)
        return None

    async def _remember(self, question: Callable[[Any], Awaitable[Any]]) -> None:
        # Redis went away meanwhile: the client's answer is not held back for that
        with contextlib.suppress(Away):
            await self._link.ask(question)
