"""Conformance checks with many reports at the same time.

A conformance check tests whether a server still works as specified when it runs a learner's answer to an exercise. A
report is heavy work that a user requests. The server must ack each request at once. A report that waits for an outside
service must not delay other reports. At most a few processes may make the reports.
"""

import asyncio
import os
from collections import Counter

import psutil

from good_server import events
from lab.clients.tab import Person, Tab
from lab.exercises.answer_errors import is_starved
from lab.exercises.conformance_reports import meanwhile, ready, request
from lab.exercises.conformance_stage import Finding, Stage

# the ack has to come in this part of the time that the report takes
LATEST_ACK = 0.5
ACKED_MILLISECONDS = {"outside": 500, "cpu": 200}
TRIES = 3
# the contract lets at least as many wait
WAITING = 64
WAIT_MILLISECONDS = 500
# they all wait at the same time; two processes would take the time of 32 reports, one after the other
WAITING_SECONDS = 10.0
# a pool has as many processes as the machine has CPUs; a few more may start it or clean up
LEAST_PROCESSES = 16
LOOK_SECONDS = 0.02


async def ack_before_the_work(stage: Stage) -> None:
    """Check that a request's ack does not wait for the report.

    The server handles the events of one tab in order. So a late ack delays all later events of this tab.
    """
    for kind in ("outside", "cpu"):
        (tab,) = await stage.open(Person(f"rina-{kind}", "vendor"))
        # a busy machine is late, too
        for _ in range(TRIES):
            share, seconds = await _share_of_ack(stage, tab, kind)
            if share <= LATEST_ACK:
                break
        else:
            took = f"the ack came after {seconds:.1f} s, when the report was ready"
            raise Finding(
                f"rina asked for a report, and {took}: until then the server handled none of her other events"
            )
        await stage.close(tab)


async def _share_of_ack(stage: Stage, tab: Tab, kind: str) -> tuple[float, float]:
    """Request a report, and measure how long its ack takes.

    Returns the ack time as a share of the time until the report arrives (0.5 is half of it), and the ack time in
    seconds.
    """
    clock = asyncio.get_running_loop().time
    asked = clock()
    job = await request(stage, tab, kind, ACKED_MILLISECONDS[kind])
    acked = clock()
    await ready(tab, job)
    (received,) = await stage.expect(events.REPORT_READY, {"job": job}, [tab], "the report that rina asked for")
    return (acked - asked) / (received.at_seconds - asked), acked - asked


async def let_reports_wait(stage: Stage) -> None:
    """Check that many reports can wait for an outside service simultaneously.

    The server must accept the requests for all these reports. A waiting report must not delay the other reports.
    """
    (tab,) = await stage.open(Person("rick", "vendor"))
    earlier, began = len(stage.faults()), asyncio.get_running_loop().time()
    jobs = await asyncio.gather(*(request(stage, tab, "outside", WAIT_MILLISECONDS) for _ in range(WAITING)))
    await asyncio.gather(*(ready(tab, job) for job in jobs))
    seconds = asyncio.get_running_loop().time() - began
    arrived = Counter(received.data.get("job") for received in tab.inbox.of(events.REPORT_READY))
    if arrived != Counter(jobs):
        late = f"after {seconds:.0f} s had received {arrived.total()} of them"
        advice = "none may be lost, and a waiting report must not occupy a worker"
        raise Finding(f"rick asked for {WAITING} reports at once, and {late}: {advice}")
    # a busy machine is late, too
    if seconds > WAITING_SECONDS and not is_starved(stage.faults()[earlier:]):
        late = f"{WAITING} reports waited {WAIT_MILLISECONDS / 1000:.1f} s each, and were ready after {seconds:.0f} s"
        raise Finding(f"{late}: a waiting report must not occupy a worker")
    await stage.close(tab)


async def share_few_processes(stage: Stage) -> None:
    """Check that the server does not start one process per report."""
    (tab,) = await stage.open(Person("rolf-2", "vendor"))
    most = max(LEAST_PROCESSES, 2 * (os.cpu_count() or 1))
    server = psutil.Process((await stage.target.probe.read()).pid)
    before, seen = len(server.children(recursive=True)), 0
    async with meanwhile(_all_ready(stage, tab, 2 * most)) as making:
        while not making.done():
            seen = max(seen, len(server.children(recursive=True)) - before)
            await asyncio.sleep(LOOK_SECONDS)
        await making
    if seen > most:
        raise Finding(f"{2 * most} reports at once started {seen} processes, and nothing limits how many")
    await stage.close(tab)


async def _all_ready(stage: Stage, tab: Tab, count: int) -> str:
    jobs = await asyncio.gather(*(request(stage, tab, "cpu", 1) for _ in range(count)))
    await asyncio.gather(*(ready(tab, job) for job in jobs))
    return jobs[-1]
