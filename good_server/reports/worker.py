"""Answers for a process that makes reports: it takes them from the queue in Redis and tells their rooms of the end.

It knows no socket, no gateway and no server; rooms are written to with the library's own write-only manager. What is
killed in the middle is made again elsewhere. A report is told once, unless its worker is killed between telling and
noting that it did: then twice, with the same job id.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import socketio
from saq.job import Job
from saq.worker import Worker

from .. import events
from ..cluster.redis_subscriber import AWAY
from ..events import ReportKind, ReportReady
from ..observability import log
from ..rooms import Address
from ..services import queue
from ..reports.queue import KINDS, MAKE, RedisAvailability, WorkerQueue
from ..services.reports import ReportRunner, compose
from ..settings import Settings

# for what is cut off at the end to be given back
GIVE_BACK_SECONDS = 2
# nobody is asked whether what is made has been aborted: nobody aborts
NEVER_SECONDS = 24 * 3600


class NoSubscribers(ConnectionError):
    """What was said reached Redis, and no server listened."""


class Rooms(socketio.AsyncRedisManager):  # type: ignore[misc]  # the library ships no types
    """The library's write-only manager, which would keep to itself that it could not be heard."""

    def __init__(self, settings: Settings, client: Any) -> None:
        # it would log each try
        quiet = logging.getLogger("good_server.worker.rooms")
        quiet.setLevel(logging.CRITICAL)
        super().__init__(channel=f"{settings.redis_prefix}:rooms", write_only=True, logger=quiet)
        self._client = client

    def _redis_connect(self) -> None:
        # it would leave a connection open at each try
        self.redis, self.connected = self._client, True

    async def _publish(self, data: dict[str, Any]) -> None:
        if not await super()._publish(data):
            raise NoSubscribers


class ReportWorker:
    """Makes the reports of one worker process and tells of them."""

    def __init__(self, settings: Settings, client: Any) -> None:
        self.workshop = ReportRunner(settings)
        self._prefix = settings.redis_prefix
        self._redis = client
        self._rooms = Rooms(settings, client)

    async def make_report(self, context: Any, *, kind: ReportKind, size: int, namespace: str, rooms: list[str]) -> None:
        """One job, from the queue to the rooms."""
        job: Job = context["job"]
        async with _beating(job):
            if job.attempts > queue.TRIES:
                log.error("report given up", job=job.key, kind=kind, tries=queue.TRIES)
                report = compose(job.key, kind, None)
            else:
                report = await self.workshop.make(job.key, kind, size)
            await self._tell(report, Address(namespace, tuple(rooms)))

    async def _tell(self, report: ReportReady, to: Address) -> None:
        """Once, though two workers may have made it; tried again while Redis is away."""
        note, is_told = f"{self._prefix}:reports:told:{report.job}", False
        try:
            async with asyncio.timeout(queue.TELL_SECONDS):
                while True:
                    with contextlib.suppress(*AWAY):
                        is_told = is_told or bool(await self._redis.exists(note)) or await self._emit(report, to)
                        await self._redis.set(note, 1, ex=queue.TELL_SECONDS * queue.RETRIES)
                        return
                    await asyncio.sleep(queue.RETRY_SECONDS)
        except TimeoutError:
            log.error("report not told", job=report.job, kind=report.kind)

    async def _emit(self, report: ReportReady, to: Address) -> bool:
        await self._rooms.emit(events.REPORT_READY, report.on_the_wire(), namespace=to.namespace, room=list(to.rooms))
        return True


@asynccontextmanager
async def _beating(job: Job) -> AsyncIterator[None]:
    """Says that the job is still at work, as long as it is."""
    is_done = asyncio.Event()

    async def beat() -> None:
        while not is_done.is_set():
            with contextlib.suppress(*AWAY):
                await job.update()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(is_done.wait(), queue.BEAT_SECONDS)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        # not cancelled: half a beat could be written after the end
        is_done.set()
        await beating


class QueueConsumer(Worker[Any]):
    """saq's worker of one queue; it ends when it is told to, not at a signal of its own."""

    SIGNALS = ()  # type: ignore[assignment]  # saq says list, and only reads it

    def __init__(self, jobs: WorkerQueue, bench: ReportWorker, *, at_once: int, shutdown_seconds: float) -> None:
        timers = {"sweep": queue.SWEEP_SECONDS, "abort": NEVER_SECONDS, "schedule": NEVER_SECONDS}
        super().__init__(
            jobs,
            [(MAKE, bench.make_report)],
            concurrency=at_once,
            timers=timers,  # type: ignore[arg-type]
            shutdown_grace_period_s=GIVE_BACK_SECONDS,
        )
        self._jobs = jobs
        self._finish_seconds = max(0.0, shutdown_seconds - 2 * GIVE_BACK_SECONDS)

    async def stop(self) -> None:
        """Finishes what it makes, and gives back what takes too long."""
        self._jobs.is_closing = True
        self.event.set()
        making = {task for task in self.tasks if task.get_name() == "process"}
        for task in self.tasks - making:
            task.cancel()
        if making:
            _, late = await asyncio.wait(making, timeout=self._finish_seconds)
            for task in late:
                task.cancel()
        await super().stop()


async def work(settings: Settings, ready: Callable[[], None], stop: asyncio.Event) -> None:
    """Runs until `stop` is set; `ready` is called once, when Redis has answered and reports are taken."""
    client, presence = queue.connect(settings), RedisAvailability()
    bench = ReportWorker(settings, client)
    await bench.workshop.start()
    at_once = {"cpu": settings.report_workers, "outside": settings.reports_waiting}
    takers = []
    for kind in KINDS:
        jobs = WorkerQueue(client, queue.queue_name(settings, kind), presence)
        takers.append(QueueConsumer(jobs, bench, at_once=at_once[kind], shutdown_seconds=settings.shutdown_seconds))
    await _reached(client, presence, stop)
    if not stop.is_set():
        await _take(takers, ready, stop)
    await client.aclose(close_connection_pool=True)


async def _take(takers: list[QueueConsumer], ready: Callable[[], None], stop: asyncio.Event) -> None:
    taking = [asyncio.create_task(taker.start()) for taker in takers]
    # a turn of the loop each: they begin
    await asyncio.sleep(0)
    ready()
    await stop.wait()
    for taker in takers:
        taker.event.set()
    await asyncio.gather(*taking)


async def _reached(client: Any, presence: RedisAvailability, stop: asyncio.Event) -> None:
    """Returns when Redis has answered, or when it is time to stop."""
    while not stop.is_set():
        try:
            await client.ping()
        except AWAY as error:
            presence.lose(error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), queue.RETRY_SECONDS)
            continue
        presence.find()
        return
