"""Leases tell which users are online.

A lease is an entry for one user, with an end time. The user is online while the lease exists. The lease is renewed
while a socket of the user is connected, and once more at a disconnect: the end time is then one grace period later. If
the user does not return within the grace period, the lease ends. The leases of this module are in the memory of one
process; in `redis_leases.py` several processes share the leases.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

# a bound on memory, some 20 MB; without it, every user who was ever online would stay
REMEMBER_AT_MOST = 100_000


class LeasesUnavailable(Exception):
    """Raised while Redis does not answer. The leases, which tell who is online, then cannot be read or changed."""


class State(NamedTuple):
    """Whether a user is online, and when the user was last online.

    `last_seen` is in milliseconds since the epoch. It is None if the user is online, or if the time is unknown.
    """

    is_online: bool
    last_seen: int | None


class Leases(Protocol):
    """Interface of a store of leases, one for each online user.

    A lease is an entry with an end time. A user is online while the user's lease exists. All times are milliseconds
    since the epoch. Each asynchronous method raises `LeasesUnavailable` while the leases cannot be reached.
    """

    def start(self) -> None:
        """Prepare the store of leases, which tell who is online. This is called when the server starts."""

    async def renew(self, users: Sequence[str]) -> tuple[int, set[str]]:
        """Renew the leases of `users`, who then stay or become online.

        Each lease gets a later end time. Missing leases are created. Returns the present time in milliseconds since
        the epoch, and the users who had no lease before.
        """

    async def end(self) -> tuple[int, list[tuple[str, int]]]:
        """Delete the leases whose end time has passed. Their users are then offline.

        Returns the present time and the deleted leases. Each deleted lease is a pair: the user, and the time when the
        user was last online. If several processes share the leases, each deleted lease is returned to only one process.
        If no lease was deleted, the returned time may be 0. All times are milliseconds since the epoch.
        """

    async def states(self, users: Sequence[str]) -> list[State]:
        """Return for each user whether the user is online now.

        A state also has the time at which the user was last online. The states are in the order of `users`.
        """


class LocalLeases:
    """Leases of online users, in the memory of one process.

    A lease ends, and its user goes offline, `grace_seconds` after the last renewal. `clock` returns seconds since the
    epoch.
    """

    def __init__(self, grace_seconds: float, clock: Callable[[], float]) -> None:
        self._grace = int(grace_seconds * 1000)
        self._clock = clock
        self._until: dict[str, int] = {}
        self._seen: dict[str, int] = {}

    def start(self) -> None: ...

    async def renew(self, users: Sequence[str]) -> tuple[int, set[str]]:
        now = int(self._clock() * 1000)
        new = {user for user in users if user not in self._until}
        self._until |= dict.fromkeys(users, now + self._grace)
        return now, new

    async def end(self) -> tuple[int, list[tuple[str, int]]]:
        now = int(self._clock() * 1000)
        ended = [(user, until - self._grace) for user, until in self._until.items() if until <= now]
        for user, seen in ended:
            del self._until[user]
            # to the end of the dict, whose first users are forgotten first
            self._seen.pop(user, None)
            self._seen[user] = seen
        while len(self._seen) > REMEMBER_AT_MOST:
            del self._seen[next(iter(self._seen))]
        return now, ended

    async def states(self, users: Sequence[str]) -> list[State]:
        return [State(user in self._until, None if user in self._until else self._seen.get(user)) for user in users]
