"""Answers for requests that come twice: a client that lost the ack sends again, and must not be heard twice."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

# longer than any client library retries
REMEMBER_SECONDS = 120.0
# a bound on memory, some 30 MB; at the default rates no honest load comes near
REMEMBER_AT_MOST = 100_000


class IdempotencyCache:
    """Remembers for two minutes what was answered to a user's own message id."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answers: OrderedDict[tuple[str, str], tuple[float, asyncio.Future[dict[str, Any]]]] = OrderedDict()

    async def once(self, user: str, id: str | None, answer: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """What `answer()` gives, run once for the same user and id; a failure is not remembered."""
        if id is None:
            return await answer()
        self._forget()
        key = (user, id)
        known = self._answers.get(key)
        if known is not None:
            # two tabs may send the same id at once: the second waits for the first one's answer
            return await asyncio.shield(known[1])
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[key] = (self._clock(), future)
        try:
            future.set_result(await answer())
        except BaseException as error:
            del self._answers[key]
            # given up at its deadline; a waiting one is not cancelled, it too has waited too long
            future.set_exception(error if isinstance(error, Exception) else TimeoutError())
            future.exception()  # whoever waits sees it; if nobody does, that is no news
            raise
        return future.result()

    def _forget(self) -> None:
        oldest = self._clock() - REMEMBER_SECONDS
        while self._answers:
            key = next(iter(self._answers))
            if self._answers[key][0] > oldest and len(self._answers) < REMEMBER_AT_MOST:
                return
            del self._answers[key]
