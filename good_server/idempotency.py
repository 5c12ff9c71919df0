"""Idempotency keys: a repeated request runs once and gets the same ack.

A client that lost an ack sends its message again with the same id. The recipients must not receive it twice.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

# longer than any client library retries
REMEMBER_SECONDS = 120.0
# a bound on memory, some 30 MB; no honest load comes near it at the default rates
REMEMBER_AT_MOST = 100_000


class IdempotencyCache:
    """The acks of the last two minutes, by user and idempotency key."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answers: OrderedDict[tuple[str, str], tuple[float, asyncio.Future[dict[str, Any]]]] = OrderedDict()

    async def once(self, user: str, id: str | None, answer: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """Call `answer` only once per user and id, and return its result.

        `id` is the idempotency key that the client sent. A second call with the same user and id, within two minutes,
        returns the same result. If `answer` still runs, the second call waits for its result. If `answer` raises an
        error, the error is raised, and nothing is stored. With an id of None, `answer` is always called.
        """
        if id is None:
            return await answer()
        self._drop_old()
        key = (user, id)
        known = self._answers.get(key)
        if known is not None:
            # two tabs may send the same id at once: the second waits for the answer of the first
            return await asyncio.shield(known[1])
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[key] = (self._clock(), future)
        try:
            future.set_result(await answer())
        except BaseException as error:
            del self._answers[key]
            # a handler that passed its deadline is cancelled; a second request that waits for it timed out, too
            future.set_exception(error if isinstance(error, Exception) else TimeoutError())
            # mark the exception as seen: there may be no second request
            future.exception()
            raise
        return future.result()

    def _drop_old(self) -> None:
        oldest = self._clock() - REMEMBER_SECONDS
        while self._answers:
            key = next(iter(self._answers))
            if self._answers[key][0] > oldest and len(self._answers) < REMEMBER_AT_MOST:
                return
            del self._answers[key]
