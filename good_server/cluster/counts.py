"""Connection counts of all server processes, stored in Redis."""

from typing import Any

from ..connection_limits import Counts
from .redis_link import RedisLink
from .redis_pool import RedisUnavailable

# a process that has not renewed its lease for this long is gone, and its counts with it
LEASE_SECONDS = 10
# a name that no process counts any more is forgotten
FORGET_SECONDS = 24 * 3600


class ClusterCounts(Counts):
    """Stores connection counts in Redis, where other processes can read them.

    Connections are counted per client address and per user. Redis holds one hash for each address and each user. The
    hash has one field per process.
    """

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._own: dict[str, int] = {}
        # publishes what was skipped while Redis was down, or refused
        link.on_reconnect.append(self._publish_all)
        # by the link, so that a process is known to live as long as its heartbeats are sent
        link.on_heartbeat.append(self._renew_lease)

    async def of_others(self, kind: str, name: str, *, own: int | None = None) -> dict[str, int]:
        """Return the other processes' connection counts for `name`, by process name.

        `kind` is `address` or `user`; `name` is one address or one user. `own` is the count of this process. If it is
        given and above 0, it is first stored in Redis. While Redis is down, return an empty dict.
        """
        key = self._link.key(kind, name)
        try:
            stored = await self._link.query(lambda redis: self._exchange(redis, key, own))
            counts = {process.decode(): int(count) for process, count in stored.items()}
            counts.pop(self._link.name, None)
            return await self._of_living(key, counts) if counts else {}
        except RedisUnavailable:
            return {}

    async def _exchange(self, redis: Any, key: str, own: int | None) -> dict[bytes, bytes]:
        """Store this process's connection count, then return the counts of all processes.

        `own` is the count of this process; if it is None or 0, nothing is stored. `key` is the Redis hash that has one
        count per process.
        """
        pipeline = redis.pipeline(transaction=True)
        if own:
            self._own[key] = own
            pipeline.hset(key, self._link.name, own)
            pipeline.expire(key, FORGET_SECONDS)
        pipeline.hgetall(key)
        counts: dict[bytes, bytes] = (await pipeline.execute())[-1]
        return counts

    async def _of_living(self, key: str, counts: dict[str, int]) -> dict[str, int]:
        """Return `counts` without the processes that no longer run.

        Also delete the counts of these processes from `key`, the Redis hash.
        """
        names = list(counts)
        leases = await self._link.query(lambda redis: redis.mget([self._lease(name) for name in names]))
        for name, lease in zip(names, leases, strict=True):
            if lease is None:
                del counts[name]
                self._link.run_later("HDEL", key, name)
        return counts

    def publish(self, kind: str, name: str, count: int) -> None:
        """Store this process's connection count for `name` in Redis, without waiting.

        `kind` is `address` or `user`; `name` is one address or one user.
        """
        key = self._link.key(kind, name)
        if count:
            self._own[key] = count
        else:
            self._own.pop(key, None)
        self._store(key, count)

    def _renew_lease(self) -> None:
        self._link.run_later("SET", self._lease(self._link.name), "", "EX", LEASE_SECONDS)

    def _publish_all(self) -> None:
        self._renew_lease()
        for key, count in self._own.items():
            self._store(key, count)

    def _store(self, key: str, count: int) -> None:
        if count:
            self._link.run_later("HSET", key, self._link.name, count)
            self._link.run_later("EXPIRE", key, FORGET_SECONDS)
        else:
            self._link.run_later("HDEL", key, self._link.name)

    def _lease(self, process: str) -> str:
        return self._link.key("process", process)
