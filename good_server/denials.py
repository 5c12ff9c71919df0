"""Denials: each denial refuses tokens of one user, although they are valid.

A denial stays when the connections of its user close, and ends by itself. After its end, valid tokens of the user are
accepted again.
"""

import re
import time
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from .errors import Unauthorized
from .roles import Identity

# the reason of a refusal, in the log and in the metric
DENIED = "denied"
# about 200 bytes each; a server that denies more users in one token life has another problem
MOST_DENIALS = 10_000
# the Redis key of a user's denial is the prefix, this word and the user; its value is the two times of the denial
KEY_PART = "denied"
# a publisher does not know the life of tokens: Redis keeps its denial this long, or until it ends
KEEP_MS = 31 * 24 * 3600 * 1000
# two programs may deny at the same time: the longer denial stays, and so does the longer time to live
STORE = """
local stored = redis.call('GET', KEYS[1]) or ''
local issued_until, all_until = string.match(stored, '^(%d+) (%d+)$')
issued_until = math.max(tonumber(issued_until or 0), tonumber(ARGV[1]))
all_until = math.max(tonumber(all_until or 0), tonumber(ARGV[2]))
local keep_ms = math.max(redis.call('PTTL', KEYS[1]), tonumber(ARGV[3]))
redis.call('SET', KEYS[1], string.format('%.0f %.0f', issued_until, all_until), 'PX', string.format('%.0f', keep_ms))
return 1
"""
# 15 digits are the year 33658
STORED = re.compile(rb"([0-9]{1,15}) ([0-9]{1,15})")


class Denial(NamedTuple):
    """A rule that refuses tokens of one user. Times are in milliseconds since the epoch.

    Tokens that were issued up to the time `issued_until` are refused, even if they have not expired. Until `all_until`,
    every token of the user is refused. A field with the value 0 refuses no token.
    """

    issued_until: int = 0
    all_until: int = 0

    def merged(self, other: "Denial") -> "Denial":
        """Return a denial that refuses every token that `self` or `other` refuses."""
        return Denial(max(self.issued_until, other.issued_until), max(self.all_until, other.all_until))

    def store_command(self, prefix: str, user: str, keep_ms: int) -> tuple[Any, ...]:
        """Return the Redis command that stores this denial of `user`.

        The key begins with `prefix`. Redis deletes the stored denial after `keep_ms` milliseconds. If Redis already
        stores a denial of the user, the command merges the two denials, and the longer time to live is used.
        """
        return ("EVAL", STORE, 1, f"{prefix}:{KEY_PART}:{user}", *self, keep_ms)

    @classmethod
    def stored(cls, value: bytes | None) -> "Denial":
        """Return the denial that is stored in Redis as `value`.

        If `value` is None or malformed, return a denial that refuses no token.
        """
        found = STORED.fullmatch(value or b"")
        return cls(int(found[1]), int(found[2])) if found else cls()


class Denials:
    """The denials of one process, in memory. A restart of the process forgets them.

    A denial refuses tokens of one user. `life_seconds` is the longest time for which a token is accepted. If there are
    too many denials, the denial that ends first is dropped, and `on_drop` is called. The subclass `ClusterDenials`
    shares denials through Redis.
    """

    def __init__(
        self,
        life_seconds: float,
        *,
        clock: Callable[[], float] = time.time,
        on_drop: Callable[[], None] = lambda: None,
        most: int = MOST_DENIALS,
    ) -> None:
        self._life_ms = round(life_seconds * 1000)
        self._clock = clock
        self._on_drop = on_drop
        self._most = most
        self._by_user: dict[str, Denial] = {}

    def __len__(self) -> int:
        return len(self._by_user)

    async def deny(self, user: str, denial: Denial) -> None:
        """Refuse the tokens of `user` that `denial` describes, in all processes."""
        self.learn(user, denial)

    def learn(self, user: str, denial: Denial) -> None:
        """Refuse the tokens of `user` that `denial` describes, in this process. Earlier denials stay valid."""
        merged = denial.merged(self._by_user.get(user, denial))
        if self._end_ms(merged) <= self._now_ms():
            return
        self._by_user[user] = merged
        if len(self._by_user) > self._most:
            del self._by_user[min(self._by_user, key=lambda name: self._end_ms(self._by_user[name]))]
            self._on_drop()

    async def check(self, identity: Identity) -> None:
        """Raise `Unauthorized` if a denial rule refuses the token of `identity`.

        The subclass `ClusterDenials` first reads the user's denial rule from Redis.
        """
        self.check_known(identity)

    def check_known(self, identity: Identity) -> None:
        """Raise `Unauthorized` if a denial rule in memory refuses `identity`'s token. Redis is not asked."""
        if self.refuses(identity):
            raise Unauthorized(reason=DENIED)

    def refuses(self, identity: Identity) -> bool:
        """Return whether a denial rule in memory refuses the token of `identity`.

        A token without the time `issued_at` is treated as issued before the rule.
        """
        denial, now = self._by_user.get(identity.user), self._now_ms()
        if denial is None:
            return False
        if now < denial.all_until:
            return True
        # a comparison with NaN is false: it must not admit anybody
        is_newer = identity.issued_at is not None and identity.issued_at * 1000 > denial.issued_until
        return now < self._end_ms(denial) and bool(denial.issued_until) and not is_newer

    async def update(self, users: Collection[str]) -> None:
        """Load the rules by which other processes refuse the tokens of `users`.

        Without Redis, do nothing.
        """

    def sweep(self) -> None:
        """Delete the denials (rules that refuse a user's tokens) that have ended."""
        now = self._now_ms()
        for user in [user for user, denial in self._by_user.items() if self._end_ms(denial) <= now]:
            del self._by_user[user]

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    def _end_ms(self, denial: Denial) -> int:
        return max(denial.all_until, denial.issued_until + self._life_ms if denial.issued_until else 0)
