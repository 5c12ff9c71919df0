"""Worker process that makes the reports of the queue in Redis.

A report is a slow job that a client requests. No client connects to this process. It publishes finished reports through
Redis, and servers send them to the clients. If a worker is killed, another worker makes its report again. If the killed
worker had just published the report, clients receive it twice, with the same job id.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import socketio
from saq.job import Job
from saq.worker import Worker

from ..background import Background
from ..events import ReportKind, ReportReady
from ..observability import Metrics, log
from ..redis_url import require_one_server
from ..services.reports import compose
from ..settings import Settings
from . import queue
from .embedded import ReportRunner
from .queue import KINDS, MAKE, UNAVAILABLE, RedisAvailability, WorkerQueue

# time for jobs that are cancelled at shutdown to go back to the queue
GIVE_BACK_SECONDS = 2
# interval of saq's timers that are not needed here
NEVER_SECONDS = 24 * 3600


class RoomPublisher(socketio.AsyncRedisManager):  # type: ignore[misc]  # the library ships no types
    """A write-only Socket.IO client manager: emits through Redis. Raises an error if no server receives the event."""

    def __init__(self, settings: Settings, client: Any) -> None:
        # the manager would log each attempt
        quiet = logging.getLogger(f"{__name__}.rooms")
        quiet.setLevel(logging.CRITICAL)
        super().__init__(channel=f"{settings.redis_prefix}:rooms", write_only=True, logger=quiet)
        self._client = client

    def _redis_connect(self) -> None:
        # the original leaves a connection open at each attempt
        self.redis, self.connected = self._client, True

    async def _publish(self, data: dict[str, Any]) -> None:
        if not await super()._publish(data):
            raise ConnectionError("no server is subscribed")


class ReportWorker:
    """Makes reports in one worker process, and publishes them to rooms.

    A report is a slow job that a client requests. It is published through Redis, and servers send it to the clients.
    """

    def __init__(self, settings: Settings, client: Any) -> None:
        self.runner = ReportRunner(settings)
        self._prefix = settings.redis_prefix
        self._redis = client
        self._rooms = RoomPublisher(settings, client)

    async def make_report(self, context: Any, *, kind: ReportKind, size: int, namespace: str, rooms: list[str]) -> None:
        """Make the report of one job, and publish it to `rooms`.

        `context["job"]` is the saq job. The work takes `size` milliseconds. If the job was tried more than `TRIES`
        times, the report is not made, and a failure is published instead.
        """
        job: Job = context["job"]
        is_done = asyncio.Event()
        heartbeats = asyncio.create_task(_send_heartbeats(job, is_done))
        try:
            is_given_up = job.attempts > queue.TRIES
            if is_given_up:
                log.error("report given up", job=job.key, kind=kind, tries=queue.TRIES)
            report = compose(job.key, kind, None) if is_given_up else await self.runner.run(job.key, kind, size)
            await self._publish(report, namespace, rooms)
        finally:
            # not cancelled: a cancelled heartbeat could still be written after the end of the job
            is_done.set()
            await heartbeats

    async def _publish(self, report: ReportReady, namespace: str, rooms: list[str]) -> None:
        """Publish a report if no worker has published it yet. Without Redis, retry for up to `PUBLISH_SECONDS`."""
        note, message = f"{self._prefix}:reports:told:{report.job}", report.on_the_wire()
        is_published = False
        try:
            async with asyncio.timeout(queue.PUBLISH_SECONDS):
                while True:
                    with contextlib.suppress(*UNAVAILABLE):
                        if not (is_published or await self._redis.exists(note)):
                            await self._rooms.emit(report.event, message, namespace=namespace, room=rooms)
                        is_published = True
                        await self._redis.set(note, 1, ex=queue.PUBLISH_SECONDS * queue.RETRIES)
                        return
                    await asyncio.sleep(queue.RETRY_SECONDS)
        except TimeoutError:
            log.error("report not published", job=report.job, kind=report.kind)


async def _send_heartbeats(job: Job, is_done: asyncio.Event) -> None:
    while not is_done.is_set():
        try:
            with contextlib.suppress(*UNAVAILABLE):
                await job.update()
        except Exception as error:  # noqa: BLE001 - without heartbeats, another worker would make the report again
            log.error("heartbeat of a job failed", job=job.key, exc_info=error)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(is_done.wait(), queue.BEAT_SECONDS)


class QueueConsumer(Worker[Any]):
    """The saq worker of one queue. It ignores signals: the function `run_worker` stops it."""

    SIGNALS = ()  # type: ignore[assignment]  # saq declares a list, and only reads it

    def __init__(self, jobs: WorkerQueue, worker: ReportWorker, at_once: int, shutdown_seconds: float) -> None:
        timers = {"sweep": queue.SWEEP_SECONDS, "abort": NEVER_SECONDS, "schedule": NEVER_SECONDS}
        options: dict[str, Any] = {"timers": timers, "shutdown_grace_period_s": GIVE_BACK_SECONDS}
        super().__init__(jobs, [(MAKE, worker.make_report)], concurrency=at_once, **options)
        self._jobs = jobs
        self._finish_seconds = max(0.0, shutdown_seconds - 2 * GIVE_BACK_SECONDS)
        self._is_finishing = False
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    async def consume(self) -> None:
        """Make the reports of the queue until `finish` is called.

        After an error, `consume` can be called again. After `finish`, `consume` waits until its task is cancelled.
        """
        if not self._is_finishing:
            self._is_idle.clear()
            self._jobs.is_closing = False
            try:
                await self.start()
            finally:
                self._is_idle.set()
        if self._is_finishing:
            # a task that ends would be started again
            await asyncio.Event().wait()

    async def finish(self) -> None:
        """Take no more jobs, and wait for the running jobs. A job that takes too long goes back to the queue."""
        self._is_finishing = True
        self.event.set()
        await self._is_idle.wait()

    async def process(self) -> bool:
        """Make the report of the next job. Return whether a job was processed.

        An error that saq does not handle is logged. The job of this error stays in saq's list of active jobs until
        `WorkerQueue.sweep` requeues or drops it.
        """
        try:
            async with self._jobs.availability.watched():
                return await super().process()
        except Exception as error:  # noqa: BLE001 - of one job alone; the next ones are made
            log.error("a job was interrupted", queue=self._jobs.name, exc_info=error)
        await asyncio.sleep(queue.RETRY_SECONDS)
        return False

    async def stop(self) -> None:
        """Finish running jobs before the shutdown. Jobs that take too long go back to the queue."""
        self._jobs.is_closing = True
        self.event.set()
        running = {task for task in self.tasks if task.get_name() == "process"}
        for task in self.tasks - running:
            task.cancel()
        if running:
            _, late = await asyncio.wait(running, timeout=self._finish_seconds)
            for task in late:
                task.cancel()
        await super().stop()


async def run_worker(settings: Settings, ready: Callable[[], None], stop: asyncio.Event) -> None:
    """Make reports until `stop` is set. Calls `ready` as soon as Redis answers."""
    await require_one_server(settings)
    client = queue.connect(settings)
    availability, background = RedisAvailability(client), Background(Metrics())
    worker = ReportWorker(settings, client)
    await worker.runner.start()
    at_once = {"cpu": settings.report_workers, "outside": settings.reports_waiting}
    consumers = []
    for kind in KINDS:
        jobs = WorkerQueue(client, queue.queue_name(settings, kind), availability)
        consumers.append(QueueConsumer(jobs, worker, at_once[kind], settings.shutdown_seconds))
    await _wait_for_redis(client, availability, stop)
    if not stop.is_set():
        for kind, consumer in zip(KINDS, consumers, strict=True):
            background.start(f"consumer of {kind} reports", consumer.consume)
        # the consumers begin in the next turn of the loop
        await asyncio.sleep(0)
        ready()
        await stop.wait()
        await asyncio.gather(*(consumer.finish() for consumer in consumers))
        await background.stop()
    await client.aclose(close_connection_pool=True)


async def _wait_for_redis(client: Any, availability: RedisAvailability, stop: asyncio.Event) -> None:
    while not stop.is_set():
        async with availability.watched():
            await client.ping()
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), queue.RETRY_SECONDS)
