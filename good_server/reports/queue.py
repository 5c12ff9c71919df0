"""A queue of reports in Redis, for separate worker processes. A report is a slow job. Uses the library saq."""

import asyncio
import logging
import math
import secrets
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

from redis import asyncio as redis
from redis.exceptions import ReadOnlyError, RedisError
from saq.job import Job, Status
from saq.queue.redis import RedisQueue
from saq.utils import now

from ..errors import Busy
from ..events import ReportKind
from ..observability import log
from ..redis_url import connection_options
from ..rooms import Address
from ..services.reports import Publish
from ..settings import Settings
from .turns import PLACE, asker_of

# the name under which a worker finds its function
MAKE = "make_report"
KINDS: tuple[ReportKind, ...] = ("cpu", "outside")
# what redis-py raises while Redis is unavailable; uvloop raises the last for a connection that was just lost
UNAVAILABLE = (RedisError, OSError, TimeoutError, RuntimeError)
# a report whose worker died is made again by another; one that kills every worker is published as failed
TRIES = 3
# saq drops a job silently after its last retry: that must come later than the published failure
RETRIES = 2 * TRIES
# a worker sends a heartbeat this often, and loses its jobs after this long without one
BEAT_SECONDS = 1
SILENT_SECONDS = 5
# how often the queue looks for such jobs
SWEEP_SECONDS = 2
# how long a new worker process may take to start; anyio stops waiting after 20 s
START_SECONDS = 30
# how long a worker tries to publish a finished report while Redis is unavailable
PUBLISH_SECONDS = 30
# the longest wait for the next job before asking again, so that a dead connection is noticed
NEXT_SECONDS = 1
RETRY_SECONDS = 0.5


def connect(settings: Settings) -> redis.Redis:
    """Return a Redis client with timeouts: a late reply raises an error."""
    options = connection_options(
        settings,
        max_connections=32,
        timeout=settings.redis_seconds,
        socket_timeout=NEXT_SECONDS + settings.redis_seconds,
        socket_connect_timeout=settings.redis_seconds,
    )
    # saq logs a line for each job
    logging.getLogger("saq").setLevel(logging.WARNING)
    return redis.Redis(connection_pool=redis.BlockingConnectionPool(**options))


def queue_name(settings: Settings, kind: ReportKind) -> str:
    """Return the name of the queue for one kind of report.

    Each kind has a queue of its own, so CPU-bound reports do not delay reports that only wait for another service.
    """
    return f"{settings.redis_prefix}:reports:{kind}"


def _answer(command: Any) -> Awaitable[Any]:
    # redis-py declares the same type for its clients with and without asyncio
    return command  # type: ignore[no-any-return]


class RedisAvailability:
    """Remembers whether Redis answers, and logs each change."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._is_available = True

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Suppress errors of an unavailable Redis in an `async with` block. Log when an outage begins or ends."""
        try:
            yield
        except UNAVAILABLE as error:
            if self._is_available:
                log.warning("redis is unavailable", error=type(error).__name__)
            self._is_available = False
            if isinstance(error, ReadOnlyError):
                # a replica now: a new connection looks the name up again, and may find the new primary
                await self._client.connection_pool.disconnect()
            return
        if not self._is_available:
            log.info("redis is available")
        self._is_available = True


class WorkerQueue(RedisQueue):
    """The saq queue from which a worker takes jobs. While Redis is unavailable, this queue gives no jobs."""

    def __init__(self, client: redis.Redis, name: str, availability: RedisAvailability) -> None:
        super().__init__(client, name)
        self.is_closing = False
        self.availability = availability
        # one connection waits for the next job, however many jobs may run at once
        self._turn = asyncio.Lock()

    async def dequeue(self, timeout: float = 0.0, poll_interval: float = 0.0) -> Job | None:
        """Return the next job, or None after `NEXT_SECONDS` without a job. The parameters are not used."""
        async with self._turn:
            if self.is_closing:
                return None
            try:
                async with self.availability.watched():
                    return await super().dequeue(NEXT_SECONDS)
            except Exception as error:  # noqa: BLE001 - saq would ask again at once, without a log entry
                log.error("a job could not be taken", queue=self.name, exc_info=error)
            await asyncio.sleep(RETRY_SECONDS)
            return None

    async def sweep(self, lock: int = SWEEP_SECONDS, abort: float = 0.0) -> list[str]:
        """Requeue the jobs of dead workers. Return the ids of the jobs that were requeued or dropped.

        No worker sweeps again for `lock` seconds; `abort` is not used. Each job is requeued in one transaction. saq's
        own sweep first removes a job from every list, and adds it again later: if this process died in between, the job
        would be lost.
        """
        async with self.availability.watched():
            if not await self.redis.set(self.namespace("sweep"), 1, ex=lock, nx=True):
                return []
            names = [name.decode() for name in await _answer(self.redis.lrange(self.namespace("active"), 0, -1))]
            stored = await self.redis.mget(names) if names else []
            return [name for name, data in zip(names, stored, strict=True) if await self._is_swept(name, data)]
        return []

    async def _is_swept(self, name: str, data: bytes | None) -> bool:
        """Call `_sweep_job`: return whether the job left the active list. Redis errors are raised, others logged."""
        try:
            return await self._sweep_job(name, data)
        except UNAVAILABLE:
            raise
        except Exception as error:  # noqa: BLE001 - of one job alone; the next sweep tries it again
            log.error("a job could not be swept", job=name, exc_info=error)
            return False

    async def _sweep_job(self, name: str, data: bytes | None) -> bool:
        """Requeue one job of the active list if its worker has died.

        The active list has the jobs that workers have taken. Drop the job if it cannot be read, or was tried too often.
        Return whether the job left the list. `name` is the job's key in Redis, and `data` is the stored job.
        """
        try:
            job = self.deserialize(data)
        except Exception as error:  # noqa: BLE001 - one job that cannot be read must not stop the sweep
            log.error("a job was dropped", job=name, exc_info=error)
            job = None
        if job is None:
            async with self.redis.pipeline(transaction=True) as pipe:
                pipe.lrem(self.namespace("active"), 0, name)
                pipe.zrem(self.namespace("incomplete"), name)
                pipe.delete(name)
                await pipe.execute()
            return True
        if job.status is Status.ACTIVE and not job.stuck:
            return False
        if job.retryable:
            await self.retry(job, "its worker died")
        else:
            log.error("a job was dropped", job=name, attempts=job.attempts)
            await self.finish(job, Status.ABORTED, error="its workers died")
        return True

    async def _retry(self, job: Job, error: str | None) -> None:
        """Put a job back into its queue, as the next job. `error` is not used."""
        active, queued = self.namespace("active"), self.namespace("queued")
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.lrem(active, 1, job.id)
            pipe.lrem(queued, 1, job.id)
            pipe.zadd(self.namespace("incomplete"), {job.id: 0})
            pipe.lpush(queued, job.id)
            pipe.set(job.id, self.serialize(job))
            await pipe.execute()

    async def notify(self, job: Job) -> None:
        """Do nothing: nobody listens for changes of a job."""

    async def write_worker_info(self, *args: Any, **options: Any) -> None:
        """Write the data about this worker that saq's dashboards display. Redis errors are suppressed."""
        async with self.availability.watched():
            await super().write_worker_info(*args, **options)


class QueuedReports:
    """A queue of reports in Redis. Separate worker processes make and publish them."""

    # it has no long-lived tasks
    failing: frozenset[str] = frozenset()

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._redis = connect(settings)
        self._availability = RedisAvailability(self._redis)
        self._queues = {kind: RedisQueue(self._redis, queue_name(settings, kind)) for kind in KINDS}
        self._place = self._redis.register_script(PLACE)

    async def start(self, publish: Publish) -> None:
        """Do nothing: worker processes make and publish the reports. `publish` is not used."""

    async def stop(self) -> None:
        """Disconnect from Redis. Waiting reports stay in the queue."""
        await self._redis.aclose(close_connection_pool=True)

    async def request(self, kind: ReportKind, size: int, to: Address) -> str:
        """Queue a request for a report, and return its job id.

        The report takes `size` milliseconds, and is sent to the rooms in `to`. Raises `Busy` when too many reports of
        this user, or of all users, are unfinished, or when Redis does not answer.
        """
        job = self._job(kind, size, to)
        is_placed = None
        async with self._availability.watched(), asyncio.timeout(self._settings.redis_seconds):
            is_placed = await self._put(job, kind, asker_of(to))
        if is_placed is None:
            raise Busy
        if not is_placed:
            raise Busy("too many of your reports, or of all users, are waiting already; try again later")
        return job.key

    async def _put(self, job: Job, kind: ReportKind, asker: str) -> bool:
        """Add a job to the queue of its kind. Return whether it was added.

        It is not added if too many reports are unfinished. Users take turns: the job waits behind the first job of each
        other user, or further back if this user has waiting jobs. `asker` is the short name of the user.
        """
        queue = self._queues[kind]
        # its own queue first
        queues = [queue, *(other for other in self._queues.values() if other is not queue)]
        unfinished = [each.namespace("incomplete") for each in queues]
        limits = (self._settings.reports_per_user, self._settings.reports_waiting)
        begins = [each.job_id(asker) for each in queues]
        keys = [queue.namespace("queued"), job.id, *unfinished]
        return bool(await self._place(keys=keys, args=[queue.serialize(job), *limits, *begins]))

    def _job(self, kind: ReportKind, size: int, to: Address) -> Job:
        return Job(
            function=MAKE,
            # all that a worker needs: no socket, no token
            kwargs={"kind": kind, "size": size, "namespace": to.namespace, "rooms": list(to.rooms)},
            queue=self._queues[kind],
            key=f"{asker_of(to)}-{secrets.token_hex(16)}",
            queued=now(),
            status=Status.QUEUED,
            # a worker has an earlier deadline and publishes a failure; this one is for a worker that cannot
            timeout=math.ceil(self._settings.report_seconds) + START_SECONDS + PUBLISH_SECONDS + SILENT_SECONDS,
            heartbeat=SILENT_SECONDS,
            retries=RETRIES,
        )
