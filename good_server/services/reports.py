"""Answers for heavy and outside work: it happens away from the event loop, bounded, and its end is told to rooms.

Threads would not do for CPU-bound work: they share the interpreter's lock with the loop. anyio keeps the worker
processes: one that crashes or hangs is replaced, and all of them end with the server, however that ends.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Protocol

import anyio
from anyio import to_process

from ..errors import Busy, Internal
from ..events import CpuSeconds, ReportError, ReportKind, ReportReady
from ..observability import log
from ..rooms import Address
from ..services import cpu
from ..settings import Settings

# sends what is told of a report that ended to where it was asked for
Deliver = Callable[[Address, ReportReady], Awaitable[None]]


def compose(job: str, kind: ReportKind, cpu_seconds: float | None) -> ReportReady:
    """What is told of a report that ended; without `cpu_seconds` it failed."""
    if cpu_seconds is None:
        failed = ReportError(code=Internal.code, message="the report could not be made")
        return ReportReady(job=job, kind=kind, error=failed)
    return ReportReady(job=job, kind=kind, result=CpuSeconds(cpu_seconds=cpu_seconds))


class Reports(Protocol):
    """Where reports go. Your own queue has these three methods."""

    async def start(self, deliver: Deliver) -> None:
        """Before the first request; `deliver` sends what is told of a report that ended in this process."""
        ...

    async def stop(self) -> None:
        """After the last request."""
        ...

    async def request(self, kind: ReportKind, size: int, to: Address) -> str:
        """Takes a report of `size` milliseconds and returns its job id at once; raises `Busy` when too many wait."""
        ...


class ReportRunner:
    """Where reports are made: those that compute in worker processes, so many at once; the others need none."""

    def __init__(self, settings: Settings) -> None:
        self._most_seconds = settings.report_seconds
        self._workers = settings.report_workers
        self._limiter: anyio.CapacityLimiter | None = None

    async def start(self) -> None:
        """Starts the worker processes, so that the first report does not wait for them."""
        self._limiter = anyio.CapacityLimiter(self._workers)
        await asyncio.gather(*(self._burn(1) for _ in range(self._workers)))

    async def make(self, job: str, kind: ReportKind, size: int) -> ReportReady:
        """What is told of it; a crash and a hang end in an error that is told as well."""
        work = self._burn if kind == "cpu" else self._wait_outside
        try:
            async with asyncio.timeout(self._most_seconds):
                return compose(job, kind, await work(size))
        except (TimeoutError, anyio.BrokenWorkerProcess) as error:
            log.error("report failed", job=job, kind=kind, error=type(error).__name__)
            return compose(job, kind, None)

    async def _burn(self, milliseconds: int) -> float:
        return await to_process.run_sync(cpu.apart, cpu.burn, milliseconds, cancellable=True, limiter=self._limiter)

    async def _wait_outside(self, milliseconds: int) -> float:
        """Stands in for a call to somebody else's service: it holds no worker while it waits."""
        await asyncio.sleep(milliseconds / 1000)
        return 0.0


class EmbeddedReports:
    """Reports that wait in this process and are made beside it: nothing else is needed, and they end with it."""

    def __init__(self, settings: Settings) -> None:
        self._most_waiting = settings.reports_waiting
        self._workshop = ReportRunner(settings)
        self._tasks: set[asyncio.Task[None]] = set()
        self._deliver: Deliver | None = None

    async def start(self, deliver: Deliver) -> None:
        """Opens the workshop."""
        self._deliver = deliver
        await self._workshop.start()

    async def stop(self) -> None:
        """Gives up what is not done; the workers end with the event loop."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def request(self, kind: ReportKind, size: int, to: Address) -> str:
        """Takes a report of `size` milliseconds and returns its job id at once; raises `Busy` when too many wait."""
        if len(self._tasks) >= self._most_waiting:
            raise Busy
        job = secrets.token_hex(16)
        task = asyncio.create_task(self._run(job, kind, size, to))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    async def _run(self, job: str, kind: ReportKind, size: int, to: Address) -> None:
        report = await self._workshop.make(job, kind, size)
        if self._deliver is not None:
            await self._deliver(to, report)
