"""A queue of reports, in the memory of one server process.

A report is a slow job that a client requests. Worker processes make the CPU-bound reports, because threads would block
the event loop (GIL). anyio replaces a worker process that crashes or hangs. All worker processes end when the server
ends, even if the server is killed.
"""

import asyncio
import secrets
from collections import Counter
from functools import partial
from typing import NamedTuple

import anyio
from anyio import to_process

from ..background import Background
from ..errors import Busy
from ..events import ReportKind, ReportReady
from ..observability import Metrics, log
from ..rooms import Address
from ..services import cpu
from ..services.reports import Publish, compose
from ..settings import Settings
from .turns import Turns, asker_of


class ReportRunner:
    """Makes reports, the CPU-bound ones in a pool of worker processes.

    A report is a slow job with a deadline.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._limiter: anyio.CapacityLimiter | None = None

    async def start(self) -> None:
        """Start the worker processes before the first report."""
        self._limiter = anyio.CapacityLimiter(self._settings.report_workers)
        await asyncio.gather(*(self.warm_up() for _ in range(self._settings.report_workers)))

    async def warm_up(self) -> None:
        """Start a worker process if none is idle. Raises an error if the process cannot start."""
        await to_process.run_sync(cpu.prepare_worker, cancellable=True, limiter=self._limiter)

    async def run(self, job: str, kind: ReportKind, size: int) -> ReportReady:
        """Make one report, and return it as a message.

        `job` is the id of the report. `kind` is `cpu`, or `outside` for a simulated call to another service. `size` is
        the duration of the work in milliseconds. If the report fails or exceeds its deadline, the message contains an
        error.
        """
        try:
            if kind == "cpu":
                # the deadline is for the report alone, not for the start of a process after a crash
                await self.warm_up()
            # the kind `outside` simulates a call to an outside service
            work = self._burn(size) if kind == "cpu" else asyncio.sleep(size / 1000, 0.0)
            async with asyncio.timeout(self._settings.report_seconds):
                return compose(job, kind, await work)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, the user gets an answer
            log.error("report failed", job=job, kind=kind, error=type(error).__name__, exc_info=_if_unknown(error))
            return compose(job, kind, None)

    async def _burn(self, size: int) -> float:
        return await to_process.run_sync(cpu.run_in_worker, cpu.burn, size, cancellable=True, limiter=self._limiter)


def _if_unknown(error: Exception) -> Exception | None:
    # a traceback tells nothing about a process that crashed or hangs
    return None if isinstance(error, TimeoutError | anyio.BrokenWorkerProcess) else error


class Report(NamedTuple):
    """An accepted request for a report. `to` names the rooms that will receive the report."""

    job: str
    kind: ReportKind
    size: int
    to: Address


class EmbeddedReports:
    """A queue of reports in memory. Worker processes of this server make CPU-bound reports.

    A report is a slow job. The number of unfinished reports is limited, for each user and in total.
    """

    _publish: Publish

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._runner = ReportRunner(settings)
        self._background = Background(metrics)
        self._turns: Turns[Report] = Turns()
        # by user; a report counts until it is finished
        self._unfinished: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def failing(self) -> frozenset[str]:
        """The names of this queue's long-lived tasks that failed recently."""
        return self._background.failing

    async def start(self, publish: Publish) -> None:
        """Start the worker processes. `publish` sends the finished reports."""
        self._publish = publish
        await self._runner.start()
        for number in range(1, self._settings.report_workers + 1):
            self._background.start(f"report maker {number}", self._make_reports)

    async def stop(self) -> None:
        """Cancel the unfinished reports. The worker processes end together with the event loop."""
        self._turns.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._background.stop()

    async def request(self, kind: ReportKind, size: int, to: Address) -> str:
        """Accept a request for a report, and return its job id.

        The report takes `size` milliseconds, and is sent to the rooms in `to`. Raises `Busy` when too many reports of
        this user, or of all users, are unfinished.
        """
        asker = asker_of(to)
        if self._unfinished[asker] >= self._settings.reports_per_user:
            raise Busy("too many of your reports are waiting already; try again later")
        if self._unfinished.total() >= self._settings.reports_waiting:
            raise Busy
        report = Report(secrets.token_hex(16), kind, size, to)
        self._unfinished[asker] += 1
        if kind == "cpu":
            self._turns.put(asker, report)
        else:
            # needs no worker process, so it does not wait for one
            self._begin(report)
        return report.job

    async def _make_reports(self) -> None:
        """Make waiting reports, one at a time. `start` runs this once for each worker process."""
        while True:
            await self._turns.is_waiting.wait()
            # before one is taken: while no process can be started, the reports go on waiting
            await self._runner.warm_up()
            report = self._turns.take()
            if report is not None:
                await asyncio.wait({self._begin(report)})

    def _begin(self, report: Report) -> asyncio.Task[None]:
        task = asyncio.create_task(self._make(report))
        self._tasks.add(task)
        task.add_done_callback(partial(self._end, asker_of(report.to)))
        return task

    def _end(self, asker: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._unfinished[asker] -= 1
        if not self._unfinished[asker]:
            del self._unfinished[asker]

    async def _make(self, report: Report) -> None:
        message = await self._runner.run(report.job, report.kind, report.size)
        try:
            await self._publish(report.to, message)
        except Exception as error:  # noqa: BLE001 - of one report alone; the next ones are made
            log.error("report not published", job=report.job, kind=report.kind, exc_info=error)
