"""A queue of reports in Redis (saq), for separate worker processes."""

import asyncio
import logging
import math
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import asyncio as redis
from redis.exceptions import RedisError
from saq.job import Job
from saq.queue.redis import RedisQueue

from ..errors import Busy
from ..events import ReportKind
from ..observability import log
from ..redis_url import connection_options
from ..rooms import Address
from ..services.reports import Publish
from ..settings import Settings

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
# how long a worker tries to publish a finished report while Redis is unavailable
PUBLISH_SECONDS = 30
# the longest wait for the next job before asking again, so that a dead connection is noticed
NEXT_SECONDS = 1
RETRY_SECONDS = 0.5


def connect(settings: Settings) -> redis.Redis:
    """Return a Redis client. A late answer of Redis is an error."""
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
    """Return the name of the queue for one kind of report. CPU-bound reports must not delay the others."""
    return f"{settings.redis_prefix}:reports:{kind}"


class RedisAvailability:
    """Remembers whether Redis answers. Each change is logged once."""

    _is_available = True

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Suppress errors in a `with` block that come from an unavailable Redis."""
        try:
            yield
        except UNAVAILABLE as error:
            if self._is_available:
                log.warning("redis is unavailable", error=type(error).__name__)
            self._is_available = False
            return
        if not self._is_available:
            log.info("redis is available")
        self._is_available = True


class WorkerQueue(RedisQueue):
    """The saq queue from which a worker takes jobs. It pauses while Redis is unavailable."""

    def __init__(self, client: redis.Redis, name: str, availability: RedisAvailability) -> None:
        super().__init__(client, name)
        self.is_closing = False
        self._availability = availability
        # one connection waits for the next job, however many jobs may run at once
        self._turn = asyncio.Lock()

    async def dequeue(self, timeout: float = 0.0, poll_interval: float = 0.0) -> Job | None:
        """Return the next job, or None after `NEXT_SECONDS` without a job."""
        async with self._turn:
            if self.is_closing:
                return None
            with self._availability.watched():
                return await super().dequeue(NEXT_SECONDS)
            await asyncio.sleep(RETRY_SECONDS)
            return None

    async def sweep(self, lock: int = SWEEP_SECONDS, abort: float = 0.0) -> list[str]:
        """Put the jobs of dead workers back into the queue."""
        with self._availability.watched():
            return await super().sweep(lock, abort)
        return []

    async def listen(self, *_: Any, **__: Any) -> None:
        """Raise `TimeoutError` instead of waiting for a dead worker's answer.

        `sweep` calls this before it queues the job again. Meanwhile the job is in no list. saq's wait can last forever:
        before Python 3.12, redis-py may swallow the cancellation at its timeout.
        """
        raise TimeoutError

    async def write_worker_info(self, *args: Any, **options: Any) -> None:
        """Write the data about this worker that saq's dashboards show."""
        with self._availability.watched():
            await super().write_worker_info(*args, **options)


class QueuedReports:
    """A queue of reports in Redis. Separate worker processes make and publish them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._redis = connect(settings)
        self._queues = {kind: RedisQueue(self._redis, queue_name(settings, kind)) for kind in KINDS}
        # this process adds one report at a time: only other processes may overshoot the cap, by one each
        self._turn = asyncio.Lock()

    async def start(self, publish: Publish) -> None:
        """Do nothing: workers make and publish the reports."""

    async def stop(self) -> None:
        """Disconnect from Redis. Waiting reports stay in the queue."""
        await self._redis.aclose(close_connection_pool=True)

    async def request(self, kind: ReportKind, size: int, to: Address) -> str:
        """Queue a report and return its job id. Raises `Busy` when too many reports wait or Redis does not answer."""
        job = self._job(kind, size, to)
        try:
            async with asyncio.timeout(self._settings.redis_seconds), self._turn:
                waiting = [await queue.count("incomplete") for queue in self._queues.values()]
                if sum(waiting) >= self._settings.reports_waiting:
                    raise Busy
                await self._queues[kind].enqueue(job)
        except UNAVAILABLE as error:
            log.warning("report refused", error=type(error).__name__)
            raise Busy from None
        return job.key

    def _job(self, kind: ReportKind, size: int, to: Address) -> Job:
        return Job(
            function=MAKE,
            # all that a worker needs: no socket, no token
            kwargs={"kind": kind, "size": size, "namespace": to.namespace, "rooms": list(to.rooms)},
            key=secrets.token_hex(16),
            # a worker has an earlier deadline and publishes a failure; this one is for a worker that cannot
            timeout=math.ceil(self._settings.report_seconds) + PUBLISH_SECONDS + SILENT_SECONDS,
            heartbeat=SILENT_SECONDS,
            retries=RETRIES,
        )
