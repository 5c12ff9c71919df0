"""Tests of reports that wait in Redis and are made by workers.

The user receives a report on any server.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest
import pytest_asyncio

from ...app import create_parts
from ...errors import Busy
from ...events import REPORT_READY, REPORT_REQUEST
from ...reports import queue
from ...reports.embedded import EmbeddedReports
from ...reports.queue import QueuedReports, RedisAvailability, WorkerQueue
from ...reports.worker import RoomPublisher
from ...rooms import Address, user_room
from ...services import cpu
from ...settings import Settings
from ..package import PACKAGE, SERVER
from ..server_processes import start as start_python
from ..stand_in import NOTE_SEND, PRIVILEGED
from ..tokens import PRODUCTION_ENVIRONMENT
from ..waiting import PROCESS_SECONDS, WAIT_SECONDS, ask_until_yes

pytestmark = pytest.mark.needs("cluster")

ANA = Address("/", (user_room("ana"),))
# until the job of a killed worker is given to another one, and its report is made
FOUND_SECONDS = queue.SILENT_SECONDS + 2 * queue.SWEEP_SECONDS + WAIT_SECONDS


class WorkerProcess:
    def __init__(self, process):
        self.process = process

    async def ready(self):
        line = await asyncio.wait_for(self.process.stdout.readline(), WAIT_SECONDS)
        assert line == b"worker ready\n"

    async def logged(self):
        """Return the next log entry of the worker process."""
        return json.loads(await asyncio.wait_for(self.process.stderr.readline(), WAIT_SECONDS))

    def family(self):
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    async def ended(self, number):
        """Send the signal `number` to the worker. Return its exit code."""
        self.process.send_signal(number)
        await asyncio.wait_for(self.process.communicate(), WAIT_SECONDS)
        return self.process.returncode


@pytest_asyncio.fixture(loop_scope="session")
async def worker_process(shared):
    """`await worker_process(**variables)` starts a report worker in its own process group.

    `variables` are environment variables, for example `SERVER_REDIS_PREFIX`.
    """
    processes = []

    async def start(**settings):
        own = {f"SERVER_{name.upper()}": str(value) for name, value in shared.items()}
        environment = PRODUCTION_ENVIRONMENT | own | settings
        processes.append(await start_python(*SERVER, "worker", options={"start_new_session": True}, **environment))
        return WorkerProcess(processes[-1])

    yield start
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


async def is_taken(jobs):
    """Wait until a worker has started a job of this queue."""

    async def has_begun():
        found = [await jobs.job(key) for key in await active(jobs)]
        return any(job.status == "active" for job in found if job)

    await ask_until_yes(has_begun)


async def active(jobs):
    return [jobs.job_key_from_id(name.decode()) for name in await jobs.redis.lrange(jobs.namespace("active"), 0, -1)]


async def next_report(tab, seconds):
    """Return the tab's next report, which may take up to `seconds`.

    `Tab.receives` does not wait that long.
    """
    async with asyncio.timeout(seconds):
        while (event := await tab.inbox.get())[0] != REPORT_READY:
            pass
        return event[1]


async def test_a_workers_report_reaches_all_tabs_on_both_servers(two, connect, worker_process):
    servers = await two()
    await (await worker_process()).ready()
    tabs = [await connect("ana", to=server) for server in (*servers, *servers)]
    eve = await connect("eve", PRIVILEGED, to=servers[1])
    job = (await tabs[0].ask(REPORT_REQUEST, {"kind": "cpu", "size": 20}))["data"]["job"]
    reports = [await tab.receives(REPORT_READY) for tab in tabs]
    assert (reports[0]["job"], reports[0]["kind"]) == (job, "cpu")
    assert reports[0]["result"]["cpu_seconds"] >= 0.02
    assert reports == [reports[0]] * 4
    assert await servers[1].fence(eve) == [[]]


async def test_a_report_reaches_a_tab_that_reconnected_elsewhere(two, connect, worker):
    first, second = await two()
    await worker()
    leaving = await connect("ana", to=first)
    job = (await leaving.ask(REPORT_REQUEST, {"kind": "outside", "size": 500}))["data"]["job"]
    await leaving.sio.disconnect()
    back = await connect("ana", to=second)
    assert (await back.receives(REPORT_READY))["job"] == job


@pytest.mark.parametrize(("fault", "seconds"), [(os._exit, 30), (time.sleep, 2)])
async def test_a_report_that_crashes_or_hangs_ends_with_an_error(two, connect, worker, monkeypatch, fault, seconds):
    ana = await connect("ana", to=(await two())[0])
    await worker(report_seconds=seconds)
    with monkeypatch.context() as patch:
        patch.setattr(cpu, "burn", fault)
        job = (await ana.ask(REPORT_REQUEST, {"kind": "cpu", "size": 2000}))["data"]["job"]
        report = await ana.receives(REPORT_READY)
    assert (report["job"], report["error"]["code"]) == (job, "internal")
    await ana.ask(REPORT_REQUEST, {"kind": "cpu", "size": 1})
    assert "result" in await ana.receives(REPORT_READY)


async def test_64_reports_may_wait_in_all_and_the_next_is_busy(two, connect):
    tabs = [await connect("ana", to=server) for server in await two(reports_waiting=64)]
    asked = {"kind": "outside", "size": 1}
    acks = [await tabs[number % 2].ask(REPORT_REQUEST, asked) for number in range(65)]
    assert [ack["ok"] for ack in acks] == [True] * 64 + [False]
    assert acks[-1]["error"]["code"] == "busy"


async def test_a_redis_that_does_not_answer_means_busy_in_time(redis, shared):
    reports = QueuedReports(Settings(**shared, redis_seconds=1))
    await reports.request("cpu", 1, ANA)
    redis.pause()
    try:
        started = time.monotonic()
        asked = [reports.request("cpu", 1, ANA) for _ in range(5)]
        refused = await asyncio.gather(*asked, return_exceptions=True)
        took = time.monotonic() - started
    finally:
        redis.resume()
    assert [type(error) for error in refused] == [Busy] * 5
    assert took < 2
    await reports.stop()


async def test_a_client_gets_busy_while_redis_is_down(redis, two, connect):
    ana = await connect("ana", to=(await two())[0])
    redis.stop()
    try:
        assert await ana.code(REPORT_REQUEST, {"kind": "cpu", "size": 1}) == "busy"
    finally:
        redis.start()


async def test_a_report_whose_worker_was_killed_is_made_by_another(two, connect, worker_process, looking, monkeypatch):
    monkeypatch.setattr(queue, "SILENT_SECONDS", 3)
    ana = await connect("ana", to=(await two())[0])
    first = await worker_process()
    await first.ready()
    job = (await ana.ask(REPORT_REQUEST, {"kind": "cpu", "size": 2000}))["data"]["job"]
    await is_taken(looking("cpu"))
    family = first.family()
    assert await first.ended(signal.SIGKILL) == -signal.SIGKILL
    await (await worker_process()).ready()
    report = await next_report(ana, FOUND_SECONDS)
    assert (report["job"], "result" in report) == (job, True)
    # the pool processes of the killed worker have ended too
    assert len(family) > 1
    assert psutil.wait_procs(family[1:], timeout=WAIT_SECONDS)[1] == []


async def test_a_report_that_killed_every_worker_fails(two, connect, worker, shared, looking):
    ana = await connect("ana", to=(await two())[0])
    reports = QueuedReports(Settings(**shared))
    job = reports._job("cpu", 1, ANA)
    job.attempts = queue.TRIES
    await looking("cpu").enqueue(job)
    await worker()
    assert (await ana.receives(REPORT_READY))["error"]["code"] == "internal"
    await reports.stop()


async def test_a_report_that_was_made_twice_is_published_once(two, connect, worker, shared, looking):
    server, _ = await two()
    ana, reports = await connect("ana", to=server), QueuedReports(Settings(**shared))
    await worker()
    job = await reports.request("outside", 1, ANA)
    assert (await ana.receives(REPORT_READY))["job"] == job
    again = reports._job("outside", 1, ANA)
    again.key = job
    await ask_until_yes(lambda: looking("outside").enqueue(again))
    await ask_until_yes(lambda: is_empty(looking("outside")))
    last = await reports.request("outside", 1, ANA)
    assert (await ana.receives(REPORT_READY))["job"] == last
    await reports.stop()


@pytest.mark.timeout(30)
async def test_the_job_of_a_dead_worker_is_queued_again(shared, looking):
    """Even a worker that gets little processor time finds the job."""
    reports = QueuedReports(Settings(**shared))
    await reports.request("cpu", 1, ANA)
    jobs = WorkerQueue(looking("cpu").redis, looking("cpu").name, RedisAvailability(looking("cpu").redis))
    job = await jobs.dequeue()
    await job.update(status="active")
    # as if it was long ago
    job.touched = 1
    await jobs.redis.set(job.id, jobs.serialize(job))
    stalling = asyncio.create_task(stall())
    await asyncio.wait_for(jobs.sweep(), WAIT_SECONDS)
    stalling.cancel()
    assert [await jobs.count(kind) for kind in ("queued", "active")] == [1, 0]
    await reports.stop()


async def stall():
    """Block the event loop for 0.12 s in each of its turns."""
    while True:
        time.sleep(0.12)  # noqa: ASYNC251 - a process that gets no processor time
        await asyncio.sleep(0)


async def test_a_report_that_no_server_received_is_an_error(shared, looking):
    rooms = RoomPublisher(Settings(**shared), looking("cpu").redis)
    with pytest.raises(ConnectionError):
        await rooms.emit(REPORT_READY, {}, room=[user_room("ana")])


async def test_a_job_in_redis_contains_only_names(two, connect, looking):
    ana = await connect("ana", to=(await two())[0])
    await ana.ask(NOTE_SEND, {"to": "bob", "text": "a private note"})
    key = (await ana.ask(REPORT_REQUEST, {"kind": "cpu", "size": 7}))["data"]["job"]
    stored = await looking("cpu").redis.get(looking("cpu").job_id(key))
    assert json.loads(stored)["kwargs"] == {"kind": "cpu", "size": 7, "namespace": "/", "rooms": [user_room("ana")]}
    everything = [await dumped(looking("cpu").redis, name) for name in await looking("cpu").redis.keys("saq:*")]
    assert any(user_room("ana").encode() in each for each in everything)
    assert not any(word.encode() in each for each in everything for word in (ana.sio.get_sid(), "a private note"))


async def dumped(client, name):
    kind = await client.type(name)
    read = {b"string": client.get, b"list": lambda name: client.lrange(name, 0, -1)}.get(kind)
    return repr(await read(name) if read else await client.zrange(name, 0, -1)).encode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stopping_worker_returns_a_slow_job_to_the_queue(two, connect, worker_process, looking, number):
    ana = await connect("ana", to=(await two())[0])
    first = await worker_process(SERVER_SHUTDOWN_SECONDS="4")
    await first.ready()
    await ana.ask(REPORT_REQUEST, {"kind": "cpu", "size": 2000})
    await is_taken(looking("cpu"))
    family = first.family()
    assert await first.ended(number) == 0
    assert psutil.wait_procs(family[1:], timeout=WAIT_SECONDS)[1] == []
    assert await looking("cpu").count("queued") == 1
    await (await worker_process()).ready()
    assert "result" in await ana.receives(REPORT_READY)


async def test_a_stopping_worker_finishes_a_running_job(two, connect, worker_process, looking):
    ana = await connect("ana", to=(await two())[0])
    first = await worker_process()
    await first.ready()
    await ana.ask(REPORT_REQUEST, {"kind": "cpu", "size": 500})
    await is_taken(looking("cpu"))
    # to the whole group, as a terminal does
    os.killpg(first.process.pid, signal.SIGINT)
    assert "result" in await ana.receives(REPORT_READY)
    assert await asyncio.wait_for(first.process.wait(), WAIT_SECONDS) == 0


async def test_a_worker_waits_for_redis_and_logs_it_once(redis, worker_process):
    redis.stop()
    try:
        waiting = await worker_process()
        assert (await waiting.logged())["event"] == "redis is unavailable"
        # long enough for several attempts
        await asyncio.sleep(3 * queue.RETRY_SECONDS)
    finally:
        redis.start()
    await waiting.ready()
    assert (await waiting.logged())["event"] == "redis is available"
    assert await waiting.ended(signal.SIGTERM) == 0


async def test_a_report_finished_in_an_outage_is_sent_afterwards(redis, two, connect, worker, looking):
    servers = await two()
    ana = await connect("ana", to=servers[1])
    await worker()
    job = (await ana.ask(REPORT_REQUEST, {"kind": "outside", "size": 300}))["data"]["job"]
    await is_taken(looking("outside"))
    redis.stop()
    try:
        await asyncio.sleep(0.5)
    finally:
        redis.start()
    assert (await ana.receives(REPORT_READY))["job"] == job


async def test_an_idle_worker_retries_redis_with_pauses(redis, two, connect, worker_process):
    ana = await connect("ana", to=(await two())[0])
    idle = await worker_process()
    await idle.ready()
    spent = sum(psutil.Process(idle.process.pid).cpu_times()[:2])
    redis.stop()
    try:
        await asyncio.sleep(3)
    finally:
        redis.start()
    assert sum(psutil.Process(idle.process.pid).cpu_times()[:2]) - spent < 1
    await ask_until_yes(lambda: is_accepted(ana))
    assert "result" in await ana.receives(REPORT_READY)
    assert await idle.ended(signal.SIGTERM) == 0


async def is_empty(jobs):
    return not await jobs.count("incomplete")


async def is_accepted(tab):
    return (await tab.ask(REPORT_REQUEST, {"kind": "outside", "size": 1}))["ok"]


def test_a_worker_without_redis_exits_with_one_line():
    command = [sys.executable, *SERVER, "worker"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{PACKAGE}: SERVER_REDIS_URL is missing")
    assert done.stderr.count("\n") == 1


def test_without_redis_reports_are_embedded():
    assert type(create_parts(Settings()).reports) is EmbeddedReports
    code = f"import sys, {PACKAGE}.app as app; app.create_app(app.Settings()); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PROCESS_SECONDS)
    assert {queue.__name__, "saq"} & set(done.stdout.split()) == set()
    assert f"{PACKAGE}.app" in done.stdout.split()
