"""Shares denials between processes through Redis. A denial is a rule that refuses tokens of one user."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any

from ..denials import KEEP_MS, KEY_PART, Denial, Denials
from ..orders import Disconnect, is_plausible
from ..roles import Identity
from .redis_link import RedisLink
from .redis_pool import RedisUnavailable

# the name of the long-lived task, in the log and in `/readyz`
CHECKER = "denials checker"
# the shortest time between two checks of all connected users
CHECK_SECONDS = 1.0
# users in one query: each query has a time limit
USERS_PER_QUERY = 256


class ClusterDenials(Denials):
    """The denials of all processes, stored in Redis and in memory.

    A denial is a rule that refuses tokens of one user. Redis holds the denials of all processes. The memory of this
    process holds the denials that it has received. While Redis is down, the process checks only its memory, and stores
    new denials in Redis later.
    """

    def __init__(self, link: RedisLink, **options: Any) -> None:
        super().__init__(**options)
        self._link = link
        self._unsaved: set[str] = set()
        # the users of the next query, and its task
        self._asking: tuple[set[str], asyncio.Task[None]] | None = None
        # Redis may have refused to store a denial, or orders were not published
        link.on_reconnect.append(link.has_missed.set)

    def start(self, check_connected: Callable[[], Awaitable[None]]) -> None:
        """Start a task that calls `check_connected` after missed messages.

        A message can contain a denial: a rule that refuses tokens of one user. Whenever this process may have missed
        messages, the task first stores in Redis the denials that could not be stored before. Then the task calls
        `check_connected`, which must disconnect the users whose tokens are refused.
        """

        async def check_forever() -> None:
            while True:
                await self._link.has_missed.wait()
                self._link.has_missed.clear()
                try:
                    await self._save()
                    await check_connected()
                except RedisUnavailable:
                    self._link.has_missed.set()
                await asyncio.sleep(CHECK_SECONDS)

        self._link.background.start(CHECKER, check_forever)

    def learn(self, user: str, denial: Denial) -> None:
        known = self._by_user.get(user)
        super().learn(user, denial)
        merged = self._by_user.get(user)
        if merged is not None and merged != known and self._life_ms > KEEP_MS:
            # a publisher stored it for a shorter time
            self._link.run_later(*merged.store_command(self._link.prefix, user, self._keep_ms(merged)))

    async def deny(self, user: str, denial: Denial) -> None:
        """Refuse tokens of `user` in all processes.

        `denial` says which tokens are refused, and until when. Store the denial in this process and in Redis. If Redis
        is down, store the denial in Redis later.
        """
        await super().deny(user, denial)
        if denial == Denial():
            return
        try:
            await self._store(user, denial)
        except RedisUnavailable:
            self._unsaved.add(user)

    async def check(self, identity: Identity) -> None:
        """Raise `Unauthorized` if the token of this identity must be refused.

        First, read from Redis which tokens of the user are refused. While Redis is down, use only what is in memory.
        """
        # not cancelled together with this connect: others wait for the same answer
        await asyncio.shield(self._ask(identity.user))
        self.check_known(identity)

    def _ask(self, user: str) -> asyncio.Task[None]:
        """Return a task that reads a user's entry from Redis.

        The entry says which tokens of the user are refused. All users who connect in the same iteration of the event
        loop share one task, so one query reads their entries.
        """
        if self._asking is None:
            users: set[str] = set()
            self._asking = users, asyncio.get_running_loop().create_task(self._ask_about(users))
        users, task = self._asking
        users.add(user)
        return task

    async def _ask_about(self, users: set[str]) -> None:
        self._asking = None
        with suppress(RedisUnavailable):
            await self.update(users)

    async def update(self, users: Collection[str]) -> None:
        """Read from Redis which tokens of these users are refused.

        The result is stored in memory. Raises `RedisUnavailable` if Redis does not answer.
        """
        names = list(users)
        for start in range(0, len(names), USERS_PER_QUERY):
            some = names[start : start + USERS_PER_QUERY]
            keys = [self._link.key(KEY_PART, user) for user in some]
            values = await self._link.query(lambda redis, keys=keys: redis.mget(keys))  # type: ignore[misc]
            for user, value in zip(some, values, strict=True):
                denial = Denial.stored(value)
                if value is not None and is_plausible(denial, self._clock()):
                    self.learn(user, denial)

    async def _save(self) -> None:
        """Store and publish which tokens are refused, after an outage of Redis.

        The entries of users that could not be stored before are stored in Redis. The other processes also receive each
        entry as a message. Raises `RedisUnavailable` if Redis does not answer.
        """
        for user in list(self._unsaved):
            denial = self._by_user.get(user, Denial())
            if denial != Denial():
                await self._store(user, denial)
                order = Disconnect(user=user, issued_until=denial.issued_until, all_until=denial.all_until)
                self._link.publish(order.model_dump(mode="json"))
            self._unsaved.discard(user)

    async def _store(self, user: str, denial: Denial) -> None:
        command = denial.store_command(self._link.prefix, user, self._keep_ms(denial))
        await self._link.query(lambda redis: redis.execute_command(*command))

    def _keep_ms(self, denial: Denial) -> int:
        return max(1, self._end_ms(denial) - self._now_ms())
