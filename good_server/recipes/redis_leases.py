"""Leases, which tell who is online, in Redis for all server processes."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ..cluster.redis_pool import RedisUnavailable
from .leases import LeasesUnavailable, State

# longer than most absences that a person asks for
REMEMBER_SECONDS = 30 * 24 * 3600
# leases that one call ends
AT_ONCE = 500

# Redis' own clock: the clocks of the processes may differ
_NOW = "local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000) "
_RENEW = (
    _NOW
    + """
local new = {}
for i = 2, #ARGV do
  if redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[1]), ARGV[i]) == 1 then new[#new + 1] = ARGV[i] end
end
return {now, new}"""
)
_END = (
    _NOW
    + """
local ended = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[3])
for i = 1, #ended, 2 do
  redis.call('ZREM', KEYS[1], ended[i])
  ended[i + 1] = string.format('%.0f', ended[i + 1] - ARGV[1])
  redis.call('SET', KEYS[2] .. ended[i], ended[i + 1], 'EX', ARGV[2])
end
return {now, ended}"""
)


class RedisLeases:
    """Leases of online users in Redis, which all processes share.

    A Redis sorted set holds the online users, each with the end time of the user's lease. Lua scripts renew and delete
    leases; Redis runs each script atomically. `link` sends commands to Redis.
    """

    def __init__(self, grace_seconds: float, link: Any) -> None:
        self._grace_seconds = grace_seconds
        self._link = link
        self._leases, self._seen = link.key("presence", "leases"), link.key("presence", "seen", "")
        self._end_from = 0.0
        link.on_reconnect.append(self.wait_for_renewals)

    def start(self) -> None:
        self.wait_for_renewals()

    def wait_for_renewals(self) -> None:
        """Keep all users online for the next grace period.

        Call this when the server starts, or when Redis is up again. The processes need this time to renew the leases of
        their users, who would otherwise go offline.
        """
        self._end_from = time.monotonic() + self._grace_seconds

    async def renew(self, users: Sequence[str]) -> tuple[int, set[str]]:
        grace = int(self._grace_seconds * 1000)
        now, new = await self._ask(lambda redis: redis.eval(_RENEW, 1, self._leases, grace, *users))
        return int(now), {user.decode() for user in new}

    async def end(self) -> tuple[int, list[tuple[str, int]]]:
        if time.monotonic() < self._end_from:
            return 0, []
        arguments = (int(self._grace_seconds * 1000), REMEMBER_SECONDS, AT_ONCE)
        now, ended = await self._ask(lambda redis: redis.eval(_END, 2, self._leases, self._seen, *arguments))
        return int(now), [(user.decode(), int(seen)) for user, seen in zip(ended[::2], ended[1::2], strict=True)]

    async def states(self, users: Sequence[str]) -> list[State]:
        if not users:
            return []
        until = await self._ask(lambda redis: redis.zmscore(self._leases, list(users)))
        seen = await self._ask(lambda redis: redis.mget([self._seen + user for user in users]))
        return [
            State(lease is not None, None if lease is not None or at is None else int(at))
            for lease, at in zip(until, seen, strict=True)
        ]

    async def _ask(self, question: Callable[[Any], Awaitable[Any]]) -> Any:
        try:
            return await self._link.query(question)
        except RedisUnavailable:
            raise LeasesUnavailable from None
