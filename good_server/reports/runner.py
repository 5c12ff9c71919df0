"""Runs reports, the CPU-bound ones in worker processes.

Threads do not help CPU-bound work: they share the interpreter's lock with the event loop. anyio keeps the worker
processes. It replaces one that crashes or hangs, and all of them end with the server, also when that is killed.
"""

import asyncio

import anyio
from anyio import to_process

from ..events import ReportKind, ReportReady
from ..observability import log
from ..services import cpu
from ..services.reports import compose
from ..settings import Settings


class ReportRunner:
    """A pool of worker processes, and a deadline for every report."""

    def __init__(self, settings: Settings) -> None:
        self._deadline_seconds = settings.report_seconds
        self._workers = settings.report_workers
        self._limiter: anyio.CapacityLimiter | None = None

    async def start(self) -> None:
        """Start the worker processes before the first report."""
        self._limiter = anyio.CapacityLimiter(self._workers)
        await asyncio.gather(*(self._burn(1) for _ in range(self._workers)))

    async def run(self, job: str, kind: ReportKind, size: int) -> ReportReady:
        """Run a report and return its message. A crash or hang is an error message."""
        work = self._burn if kind == "cpu" else self._wait_outside
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return compose(job, kind, await work(size))
        except (TimeoutError, anyio.BrokenWorkerProcess) as error:
            log.error("report failed", job=job, kind=kind, error=type(error).__name__)
            return compose(job, kind, None)

    async def _burn(self, milliseconds: int) -> float:
        return await to_process.run_sync(
            cpu.run_in_worker, cpu.burn, milliseconds, cancellable=True, limiter=self._limiter
        )

    async def _wait_outside(self, milliseconds: int) -> float:
        """Stand in for a call to an outside service."""
        await asyncio.sleep(milliseconds / 1000)
        return 0.0
