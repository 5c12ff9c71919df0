"""A queue of reports in the memory of one server process.

Worker processes make the reports, as threads would share the interpreter's lock with the event loop. anyio replaces a
worker process that crashes or hangs. All of them end with the server, also when the server is killed.
"""

import asyncio
import secrets

import anyio
from anyio import to_process

from ..errors import Busy
from ..events import ReportKind, ReportReady
from ..observability import log
from ..rooms import Address
from ..services import cpu
from ..services.reports import Publish, compose
from ..settings import Settings


class ReportRunner:
    """Makes reports in a pool of worker processes, with a deadline each."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._limiter: anyio.CapacityLimiter | None = None

    async def start(self) -> None:
        """Start the worker processes before the first report."""
        self._limiter = anyio.CapacityLimiter(self._settings.report_workers)
        await asyncio.gather(*(self._burn(1) for _ in range(self._settings.report_workers)))

    async def run(self, job: str, kind: ReportKind, size: int) -> ReportReady:
        """Make one report and return its message. After a crash or at the deadline it is an error message."""
        # the kind `outside` simulates a call to an outside service
        work = self._burn(size) if kind == "cpu" else asyncio.sleep(size / 1000, 0.0)
        try:
            async with asyncio.timeout(self._settings.report_seconds):
                return compose(job, kind, await work)
        except (TimeoutError, anyio.BrokenWorkerProcess) as error:
            log.error("report failed", job=job, kind=kind, error=type(error).__name__)
            return compose(job, kind, None)

    async def _burn(self, size: int) -> float:
        return await to_process.run_sync(cpu.run_in_worker, cpu.burn, size, cancellable=True, limiter=self._limiter)


class EmbeddedReports:
    """A bounded queue of reports in memory. Worker processes of this server make them."""

    _publish: Publish

    def __init__(self, settings: Settings) -> None:
        self._most_waiting = settings.reports_waiting
        self._runner = ReportRunner(settings)
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, publish: Publish) -> None:
        """Start the worker processes. `publish` sends the finished reports."""
        self._publish = publish
        await self._runner.start()

    async def stop(self) -> None:
        """Cancel unfinished reports; the worker processes end with the event loop."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def request(self, kind: ReportKind, size: int, to: Address) -> str:
        """Accept a report for the rooms `to`, and return its job id. Raise `Busy` when too many reports wait."""
        if len(self._tasks) >= self._most_waiting:
            raise Busy
        job = secrets.token_hex(16)
        task = asyncio.create_task(self._run(job, kind, size, to))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    async def _run(self, job: str, kind: ReportKind, size: int, to: Address) -> None:
        await self._publish(to, await self._runner.run(job, kind, size))
