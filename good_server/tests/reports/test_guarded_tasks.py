"""Tests that one error stops neither a queue nor a worker."""

import pytest
import pytest_asyncio
from saq.job import Job, Status
from saq.queue.redis import RedisQueue
from saq.worker import Worker

from ...events import REPORT_READY, REPORT_REQUEST
from ...observability import Metrics
from ...reports.embedded import EmbeddedReports, ReportRunner
from ...reports.queue import KINDS, QueuedReports, RedisAvailability, WorkerQueue
from ...reports.worker import QueueConsumer
from ...rooms import Address, user_room
from ...services import cpu
from ...settings import Settings
from ..waiting import ask_until_yes, until

CPU, OUTSIDE = {"kind": "cpu", "size": 1}, {"kind": "outside", "size": 1}


def failing_once(monkeypatch, owner, name):
    """Let a coroutine method raise at its next call. Returns the list of such errors."""
    real, errors = getattr(owner, name), []

    async def fail(self, *args, **options):
        if not errors:
            errors.append(LookupError("thrown by a test"))
            raise errors[0]
        return await real(self, *args, **options)

    monkeypatch.setattr(owner, name, fail)
    return errors


def divides_by_zero(_):
    return 1 / 0


async def test_a_report_with_an_unknown_error_ends_with_an_error(connect, monkeypatch):
    ana = await connect("ana")
    with monkeypatch.context() as patch:
        patch.setattr(cpu, "burn", divides_by_zero)
        await ana.ask(REPORT_REQUEST, CPU)
        assert (await ana.receives(REPORT_READY))["error"]["code"] == "internal"
    await ana.ask(REPORT_REQUEST, CPU)
    assert "result" in await ana.receives(REPORT_READY)


async def test_a_report_that_cannot_be_published_stops_no_other(serve, connect, monkeypatch):
    server = await serve(reports_per_user=1)
    ana = await connect("ana", to=server)
    errors = failing_once(monkeypatch, type(server.gateway), "send")
    for asked in (CPU, CPU, OUTSIDE):
        await ask_until_yes(lambda asked=asked: is_accepted(ana, asked))
    assert [(await ana.receives(REPORT_READY))["kind"] for _ in "12"] == ["cpu", "outside"]
    assert len(errors) == 1
    assert not server.application.reports.failing


async def is_accepted(tab, asked):
    return (await tab.ask(REPORT_REQUEST, asked))["ok"]


async def test_reports_wait_while_no_process_can_start(serve, connect, monkeypatch, until):
    server = await serve()
    ana, reports = await connect("ana", to=server), server.application.reports
    with monkeypatch.context() as patch:
        patch.setattr(ReportRunner, "warm_up", no_process)
        job = (await ana.ask(REPORT_REQUEST, CPU))["data"]["job"]
        await until(lambda: reports.failing == {"report maker 1"})
    report = await ana.receives(REPORT_READY)
    assert (report["job"], "result" in report) == (job, True)
    await until(lambda: not reports.failing)


async def no_process(self):
    raise OSError("no more processes")


async def test_reports_that_still_wait_at_the_stop_are_dropped(worker_pool, nothing_lost):
    reports, published = EmbeddedReports(Settings(report_workers=1), Metrics()), []

    async def publish(to, report):
        published.append(report)

    await reports.start(publish)
    for _ in range(3):
        await reports.request("cpu", 2000, Address("/", (user_room("ana"),)))
    await until(lambda: reports._tasks)
    await reports.stop()
    assert (published, reports._tasks, reports._unfinished.total()) == ([], set(), 2)


@pytest.mark.needs("cluster")
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (WorkerQueue, "_finish"),
        (RedisQueue, "dequeue"),
        (RedisQueue, "write_worker_info"),
        (Worker, "upkeep"),
        (Worker, "process"),
        (Job, "update"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
async def test_a_worker_survives_one_error_anywhere(two, connect, worker, monkeypatch, owner, name):
    server, _ = await two()
    ana = await connect("ana", to=server)
    errors = failing_once(monkeypatch, owner, name)
    await worker()
    for kind in KINDS:
        job = (await ana.ask(REPORT_REQUEST, {"kind": kind, "size": 300}))["data"]["job"]
        report = await ana.receives(REPORT_READY)
        assert (report["job"], "result" in report) == (job, True)
    await until(lambda: errors)


@pytest.mark.needs("cluster")
async def test_a_consumer_that_ends_is_started_again(two, connect, worker, monkeypatch):
    ana = await connect("ana", to=(await two())[0])
    consumers, real = [], QueueConsumer.consume

    async def consume(self):
        consumers.append(self)
        await real(self)

    monkeypatch.setattr(QueueConsumer, "consume", consume)
    await worker()
    for consumer in consumers:
        consumer.event.set()
    await until(lambda: len(consumers) == 2 * len(KINDS))
    for asked in (CPU, OUTSIDE):
        await ana.ask(REPORT_REQUEST, asked)
        assert "result" in await ana.receives(REPORT_READY)


@pytest.mark.needs("cluster")
async def test_a_job_that_cannot_be_read_is_dropped_alone(two, connect, worker, looking):
    ana = await connect("ana", to=(await two())[0])
    jobs = looking("cpu")
    broken = jobs.job_id("broken")
    await jobs.redis.set(broken, "{")
    await jobs.redis.zadd(jobs.namespace("incomplete"), {broken: 0})
    await jobs.redis.rpush(jobs.namespace("queued"), broken)
    await worker()
    await ana.ask(REPORT_REQUEST, CPU)
    assert "result" in await ana.receives(REPORT_READY)
    await ask_until_yes(lambda: is_gone(jobs, broken))
    assert await jobs.count("active") == 0


async def is_gone(jobs, name):
    return not await jobs.redis.exists(name) and not await jobs.count("incomplete")


@pytest_asyncio.fixture(loop_scope="session")
async def dead_jobs(shared, looking):
    """A queue, with two jobs whose worker died long ago."""
    reports, client = QueuedReports(Settings(**shared)), looking("cpu").redis
    jobs = WorkerQueue(client, looking("cpu").name, RedisAvailability(client))
    for _ in range(2):
        await reports.request("cpu", 1, Address("/", (user_room("ana"),)))
        job = await jobs.dequeue()
        job.touched, job.status = 1, Status.ACTIVE
        await client.set(job.id, jobs.serialize(job))
    yield jobs
    await reports.stop()


async def sweep_again(jobs):
    await jobs.redis.delete(jobs.namespace("sweep"))
    return await jobs.sweep()


@pytest.mark.needs("cluster")
async def test_a_job_that_cannot_be_swept_delays_no_other(dead_jobs, monkeypatch):
    failing_once(monkeypatch, WorkerQueue, "_sweep_job")
    assert len(await dead_jobs.sweep()) == 1
    assert len(await sweep_again(dead_jobs)) == 1
    assert [await dead_jobs.count(kind) for kind in ("queued", "active")] == [2, 0]


@pytest.mark.needs("cluster")
async def test_a_job_survives_the_death_of_its_sweeper(dead_jobs, monkeypatch):
    """The first sweep ends before the job is in the queue again."""
    failing_once(monkeypatch, WorkerQueue, "_retry")
    await dead_jobs.sweep()
    await sweep_again(dead_jobs)
    assert [await dead_jobs.count(kind) for kind in ("queued", "active")] == [2, 0]
