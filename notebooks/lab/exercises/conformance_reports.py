"""Conformance checks of `report:request`: how reports are made and delivered.

A conformance check tests whether a server still works as specified when it runs a learner's answer to an exercise. A
report is heavy work that a user requests.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import psutil

from good_server import events
from lab.clients.tab import Person, Tab
from lab.exercises.answer_errors import is_held, is_starved
from lab.exercises.conformance_stage import CAROL, Finding, Stage

REPORT_MILLISECONDS = 400
# a report is made after those before it, and the first one may start a process
REPORT_SECONDS = 15.0
# of the CPU time that was asked for; the clock of the operating system counts in steps of 10 ms
LEAST_WORK = 0.85
MOST_REPORTED = 3.0
# the share of a report's time that the server may use meanwhile, for everything else that it does
MOST_BESIDE = 0.5
# the worst ack of a bystander, in units of a report's CPU time
LONGEST_HOLD = 0.5
# a tab that opens this long before a report is sent has to receive it
IN_TIME_SECONDS = 0.1
TRIES = 3
# no server knows this event, but each answers it
BYSTANDER_EVENT = "lab:settle"


def family_cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and its child processes.

    The sum includes child processes that have ended.
    """
    process = psutil.Process(pid)
    total = 0.0
    for member in (process, *process.children(recursive=True)):
        # a process may end meanwhile
        with contextlib.suppress(psutil.Error):
            total += sum(member.cpu_times()[:4])
    return total


async def request(stage: Stage, tab: Tab, kind: str, milliseconds: int) -> str:
    """Request a report, and return the id of its job.

    A report of `kind` `cpu` needs `milliseconds` of CPU time. A report of `kind` `outside` waits that long for an
    outside service. Raises `Finding` if the server refuses the request, or if the ack has no job id.
    """
    wanted = {"kind": kind, "size": milliseconds}
    # a handler that waits until its report is ready is found by another check
    data = await stage.accepted(tab, events.REPORT_REQUEST, wanted, timeout=REPORT_SECONDS)
    job = data.get("job")
    if not isinstance(job, str) or not job:
        raise Finding(f"the ack of {events.REPORT_REQUEST} has no job, but {data}")
    return job


async def ready(tab: Tab, job: str) -> None:
    """Wait until `tab` has received the report of `job`.

    This function returns after `REPORT_SECONDS` at the latest, even if the report has not arrived.
    """
    with contextlib.suppress(TimeoutError):
        await tab.received(events.REPORT_READY, where=lambda data: data.get("job") == job, timeout=REPORT_SECONDS)


async def reach_all_tabs(stage: Stage) -> None:
    """Check that exactly the tabs of the requesting user receive a report.

    A tab that the user opens while the report is made also receives the report. A tab that the user opens later does
    not receive it.
    """
    rex, rosa = Person("rex", "vendor"), Person("rosa", "vendor")
    first, second, other = await stage.open(rex, rex, rosa)
    # both at once, as a handler may wait until its report is ready, which another check finds
    async with (
        meanwhile(request(stage, first, "outside", 400)) as asking,
        meanwhile(request(stage, other, "outside", 300)) as asking_too,
    ):
        (late,) = await stage.open(rex)
        job, other_job = await asking, await asking_too
    if job == other_job:
        raise Finding(f"two reports have the same job {job!r}")
    await ready(second, job)
    opened = late.inbox.of("connect")[0].at_seconds
    sent = [received.at_seconds for received in second.inbox.of(events.REPORT_READY)]
    # on a busy machine the report may be ready before the new tab is open
    is_in_time = all(opened + IN_TIME_SECONDS < at for at in sent) or bool(late.inbox.of(events.REPORT_READY))
    in_time = [late] if is_in_time else []
    await stage.expect(events.REPORT_READY, {"job": job}, [first, second, *in_time], "the report that rex asked for")
    await ready(other, other_job)
    await stage.expect(events.REPORT_READY, {"job": other_job}, [other], "the report that rosa asked for")
    # a report that is delivered once more to a new tab is found at the end of the suite
    (after,) = await stage.open(rex)
    await stage.settle()
    for tab in (first, second, late, after, other):
        await stage.close(tab)


async def wait_for_outside_work(stage: Stage) -> None:
    """Check that a report of the kind `outside` is not ready early.

    Such a report waits for a simulated outside service. The event `report:request` says how long it has to wait.
    """
    (tab,) = await stage.open(Person("rob", "vendor"))
    asked = asyncio.get_running_loop().time()
    job = await request(stage, tab, "outside", REPORT_MILLISECONDS)
    await ready(tab, job)
    (received,) = await stage.expect(events.REPORT_READY, {"job": job}, [tab], "the report that rob asked for")
    seconds = received.at_seconds - asked
    _expect_kind(received.data, "outside")
    if seconds < LEAST_WORK * REPORT_MILLISECONDS / 1000:
        raise Finding(f"an outside service needs {REPORT_MILLISECONDS} ms, but its report came after {seconds:.2f} s")
    await stage.close(tab)


async def do_the_work(stage: Stage) -> None:
    """Check that a `cpu` report is really computed, in another process.

    The report has to use the CPU time that was requested. The server process itself may use at most the share
    `MOST_BESIDE` of this time.
    """
    (tab,) = await stage.open(Person("ria", "vendor"))
    # the first report may start a process, which also takes CPU time
    first = await request(stage, tab, "cpu", 1)
    await ready(tab, first)
    reading = await stage.target.probe.read()
    family, own = family_cpu_seconds(reading.pid), reading.cpu_seconds
    job = await request(stage, tab, "cpu", REPORT_MILLISECONDS)
    await ready(tab, job)
    (received,) = await stage.expect(events.REPORT_READY, {"job": job}, [tab], "the report that ria asked for")
    asked = _expect_spent(family_cpu_seconds(reading.pid) - family)
    on_the_loop = (await stage.target.probe.read()).cpu_seconds - own
    if on_the_loop > MOST_BESIDE * asked:
        raise Finding(
            f"a report of {asked:.1f} s of CPU time took {on_the_loop:.2f} s of it in the server's own process"
        )
    _expect_kind(received.data, "cpu")
    _expect_result(received.data, asked)
    await stage.close(tab)


def _expect_spent(seconds: float) -> float:
    """Raise `Finding` if a report has used too little CPU time.

    `seconds` is the CPU time that the report has used. Returns the CPU time that was requested for the report, in
    seconds.
    """
    asked = REPORT_MILLISECONDS / 1000
    if seconds < LEAST_WORK * asked:
        raise Finding(f"a report of {asked:.1f} s of CPU time was ready, but only {seconds:.2f} s were spent on it")
    return asked


def _expect_kind(data: dict[str, Any], kind: str) -> None:
    if data.get("kind") != kind:
        raise Finding(f"a report of the kind {kind!r} was ready as one of the kind {data.get('kind')!r}")


def _expect_result(data: dict[str, Any], asked: float) -> None:
    result = data.get("result")
    seconds = result.get("cpu_seconds") if isinstance(result, dict) else None
    if not isinstance(seconds, int | float) or not LEAST_WORK * asked <= seconds <= MOST_REPORTED * asked:
        raise Finding(f"a report of {asked:.1f} s of CPU time had the result {result or data.get('error')}")


async def keep_the_loop_free(stage: Stage) -> None:
    """Check that other users get their acks while a report is made.

    Another user may wait for an ack at most as long as the CPU time of the report, multiplied by `LONGEST_HOLD`. The
    check is repeated up to `TRIES` times, because a busy machine also delays acks.
    """
    (tab,) = await stage.open(Person("rolf", "vendor"))
    for number in range(1, TRIES + 1):
        earlier = len(stage.faults())
        worst = await _worst_ack(stage, tab)
        new = stage.faults()[earlier:]
        # a busy machine is late, too
        is_excused = is_starved(new) and not is_held(new)
        if worst <= LONGEST_HOLD or is_excused:
            break
        if number == TRIES:
            took = f"{worst:.1f} times as long as the report's CPU time"
            raise Finding(f"while a report was made, another user's ack took {took}")
    await stage.close(tab)


async def _worst_ack(stage: Stage, tab: Tab) -> float:
    """Return the longest time that another user waits for an ack.

    The other user sends requests while a report is made for `tab`. The unit of the result is the CPU time of the
    report, so 0.5 means half of it.
    """
    (bystander,) = stage.of(CAROL)
    clock = asyncio.get_running_loop().time
    seconds = []
    pid = (await stage.target.probe.read()).pid
    before = family_cpu_seconds(pid)
    async with meanwhile(request(stage, tab, "cpu", REPORT_MILLISECONDS)) as asking:
        for _ in _until(asking, tab):
            asked = clock()
            await stage.ask(bystander, BYSTANDER_EVENT, {})
            seconds.append(clock() - asked)
            # at most as many as a person may ask
            await asyncio.sleep(0.05)
        job = await asking
    await ready(tab, job)
    # an earlier report of the same size was another user's, and another one
    _expect_spent(family_cpu_seconds(pid) - before)
    return max(seconds) / (REPORT_MILLISECONDS / 1000)


@asynccontextmanager
async def meanwhile(work: Coroutine[Any, Any, str]) -> AsyncIterator["asyncio.Task[str]"]:
    """Run `work` as a task during the `async with` block.

    Yields the task. If it is not done at the end of the block, it is cancelled.
    """
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _until(asking: "asyncio.Task[str]", tab: Tab, most: int = 100) -> Iterator[int]:
    """Yield 0, 1, 2 and so on until a report has arrived.

    A loop over these numbers repeats its body while the report for `tab` is made. `asking` is the task that returns the
    job id of this report. At most `most` numbers are yielded.
    """
    for number in range(most):
        yield number
        if asking.done() and tab.inbox.of(events.REPORT_READY, lambda data: data.get("job") == asking.result()):
            return
