"""Answers for how many of a thing there are in other processes: each tells its own count, and reads the others'."""

from ..cluster.redis_link import Away, Link
from ..limits import Counts

# a process that has not said for so long that it lives is gone, and its counts with it
LEASE_SECONDS = 10
# names that nobody counts any more are forgotten
FORGET_SECONDS = 24 * 3600


class ClusterCounts(Counts):
    """A hash a name in Redis: process → count. What is told is the whole count, so a lost word is made good later."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._own: dict[str, int] = {}
        # what was not told while Redis was away
        link.on_return.append(self._tell_all)

    async def counts(self, kind: str, name: str) -> dict[str, int]:
        key = self._link.key(kind, name)
        try:
            told = await self._link.ask(lambda redis: redis.hgetall(key))
            counts = {process.decode(): int(count) for process, count in told.items()}
            counts.pop(self._link.name, None)
            return await self._alive(key, counts) if counts else {}
        except Away:
            return {}

    async def _alive(self, key: str, counts: dict[str, int]) -> dict[str, int]:
        """Without those of processes that ended without a word."""
        names = list(counts)
        leases = await self._link.ask(lambda redis: redis.mget([self._lease(name) for name in names]))
        for name, lease in zip(names, leases, strict=True):
            if lease is None:
                del counts[name]
                self._link.note("HDEL", key, name)
        return counts

    def tell(self, kind: str, name: str, count: int) -> None:
        key = self._link.key(kind, name)
        if count:
            self._own[key] = count
        else:
            self._own.pop(key, None)
        self._note(key, count)

    def renew(self) -> None:
        self._link.note("SET", self._lease(self._link.name), "", "EX", LEASE_SECONDS)

    def _tell_all(self) -> None:
        self.renew()
        for key, count in self._own.items():
            self._note(key, count)

    def _note(self, key: str, count: int) -> None:
        if count:
            self._link.note("HSET", key, self._link.name, count)
            self._link.note("EXPIRE", key, FORGET_SECONDS)
        else:
            self._link.note("HDEL", key, self._link.name)

    def _lease(self, process: str) -> str:
        return self._link.key("process", process)
