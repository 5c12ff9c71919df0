"""Answers for reports that other processes make: they wait in Redis, bounded, until a worker takes them.

saq keeps the queue: one dependency beside redis, all asyncio, with timeouts and heartbeats of its own; taskiq would
bring a broker abstraction and a store of results that nobody asks for.
"""

import asyncio
import logging
import math
import secrets
from typing import Any

from redis import asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from saq.job import Job
from saq.queue.base import Queue
from saq.queue.redis import RedisQueue

from ..cluster.redis_subscriber import AWAY
from ..errors import Busy
from ..events import ReportKind
from ..observability import log
from ..rooms import Address
from ..services.reports import Deliver
from ..settings import Settings

# what saq looks up in a worker
MAKE = "make_report"
KINDS: tuple[ReportKind, ...] = ("cpu", "outside")
# a report that ended with its worker is made again by another; one that ends every worker is told as failed
TRIES = 3
# saq drops a job silently after its last retry: that must come later than the word that it failed
RETRIES = 2 * TRIES
# a worker says this often that it lives, and its jobs are taken from it when it has not for so long
BEAT_SECONDS = 1
SILENT_SECONDS = 5
# how often it is looked for such jobs
SWEEP_SECONDS = 2
# saq would wait 5 s for each of them to be aborted by a worker that is gone
ABORT_SECONDS = 0.1
# the longest that a word of a report that ended is tried for while Redis is away
TELL_SECONDS = 30
# a question for the next job is answered or asked anew, so that a line that fell silent is noticed
NEXT_SECONDS = 1
RETRY_SECONDS = 0.5
CONNECTIONS = 32


def connect(settings: Settings) -> redis.Redis:
    """A client whose every answer comes in time or is an error; nothing is connected yet."""
    url = settings.redis_url.get_secret_value() if settings.redis_url is not None else ""
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=settings.redis_seconds,
        socket_timeout=NEXT_SECONDS + settings.redis_seconds,
        socket_connect_timeout=settings.redis_seconds,
        retry=Retry(NoBackoff(), 0),
    )
    # each enqueued and finished job would be a line
    logging.getLogger("saq").setLevel(logging.WARNING)
    return redis.Redis(connection_pool=pool)


def queue_name(settings: Settings, kind: ReportKind) -> str:
    """One queue a kind: those that compute take turns, and must not hold up those that only wait."""
    return f"{settings.redis_prefix}:reports:{kind}"


class RedisAvailability:
    """Whether Redis answers: each change is logged once."""

    def __init__(self) -> None:
        self._is_away = False

    def lose(self, error: BaseException) -> None:
        """It did not answer."""
        if not self._is_away:
            log.warning("redis is away", error=type(error).__name__)
        self._is_away = True

    def find(self) -> None:
        """It answered."""
        if self._is_away:
            log.info("redis answers")
        self._is_away = False


class WorkerQueue(RedisQueue):
    """The queue as a worker reads it: saq's, which would ask a Redis that is away again and again without a pause."""

    def __init__(self, client: redis.Redis, name: str, presence: RedisAvailability) -> None:
        super().__init__(client, name)
        self.is_closing = False
        self._presence = presence
        # one line waits for the next job, however many may be made at once
        self._turn = asyncio.Lock()

    async def dequeue(self, timeout: float = 0.0, poll_interval: float = 0.0) -> Job | None:
        """The next job, or None after a while."""
        async with self._turn:
            if self.is_closing:
                return None
            try:
                job = await super().dequeue(NEXT_SECONDS)
                self._presence.find()
            except AWAY as error:
                self._presence.lose(error)
                await asyncio.sleep(RETRY_SECONDS)
                return None
            return job

    async def sweep(self, lock: int = SWEEP_SECONDS, abort: float = ABORT_SECONDS) -> list[str]:
        """Takes the jobs of workers that are gone from them, for others to make."""
        try:
            return await super().sweep(lock, ABORT_SECONDS)
        except AWAY as error:
            self._presence.lose(error)
            return []

    async def listen(self, *args: Any, **options: Any) -> None:
        """By asking: saq's subscription would ask a Redis that is away without a pause, and log each time."""
        await Queue.listen(self, *args, **options)

    async def write_worker_info(self, *args: Any, **options: Any) -> None:
        """For who watches saq's queues."""
        try:
            await super().write_worker_info(*args, **options)
        except AWAY as error:
            self._presence.lose(error)


class QueuedReports:
    """Reports that wait in Redis. A worker tells of their end: `python -m good_server worker`."""

    def __init__(self, settings: Settings) -> None:
        self._most_waiting = settings.reports_waiting
        self._seconds = settings.redis_seconds
        self._job_seconds = math.ceil(settings.report_seconds) + TELL_SECONDS
        self._redis = connect(settings)
        self._queues = {kind: RedisQueue(self._redis, queue_name(settings, kind)) for kind in KINDS}
        # this process asks and adds one at a time, so that only several processes may overshoot, by one each
        self._turn = asyncio.Lock()

    async def start(self, deliver: Deliver) -> None:
        """Nothing is made here, so there is nothing to start, and nothing to deliver."""

    async def stop(self) -> None:
        """Hangs up; what waits goes on waiting for a worker."""
        await self._redis.aclose(close_connection_pool=True)

    async def request(self, kind: ReportKind, size: int, to: Address) -> str:
        """Takes a report of `size` milliseconds and returns its job id.

        Raises `Busy` when too many wait, and when Redis does not answer within `redis_seconds`.
        """
        job = self._job(kind, size, to)
        try:
            async with asyncio.timeout(self._seconds), self._turn:
                waiting = [await queue.count("incomplete") for queue in self._queues.values()]
                if sum(waiting) >= self._most_waiting:
                    raise Busy
                await self._queues[kind].enqueue(job)
        except AWAY as error:
            log.warning("report not taken", error=type(error).__name__)
            raise Busy from None
        return job.key

    def _job(self, kind: ReportKind, size: int, to: Address) -> Job:
        """All that a worker needs, and no more: no socket, no token, no text."""
        return Job(
            function=MAKE,
            kwargs={"kind": kind, "size": size, "namespace": to.namespace, "rooms": list(to.rooms)},
            key=secrets.token_hex(16),
            # the worker's own time limit comes first, and is told; this one is for what that cannot end
            timeout=self._job_seconds + SILENT_SECONDS,
            heartbeat=SILENT_SECONDS,
            retries=RETRIES,
        )
