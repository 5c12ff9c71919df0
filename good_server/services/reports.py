"""Answers for heavy and outside work: it happens away from the event loop, bounded, and its end is told to a callback.

Threads would not do for CPU-bound work: they share the interpreter's lock with the loop. anyio keeps the worker
processes: one that crashes or hangs is replaced, and all of them end with the server, however that ends.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Literal

import anyio
from anyio import to_process

from good_server.errors import Busy
from good_server.observe import log
from good_server.services import cpu
from good_server.settings import Settings

Kind = Literal["cpu", "outside"]
# told when a job ends: its id, then the CPU seconds it used, or None when it failed
Done = Callable[[str, float | None], Awaitable[None]]


class Reports:
    """A bounded queue of reports. Replace it with your own queue: all it needs is `request`."""

    def __init__(self, settings: Settings) -> None:
        self._most_waiting = settings.reports_waiting
        self._most_seconds = settings.report_seconds
        self._workers = settings.report_workers
        self._limiter: anyio.CapacityLimiter | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Starts the worker processes, so that the first report does not wait for them."""
        self._limiter = anyio.CapacityLimiter(self._workers)
        await asyncio.gather(*(self._burn(1) for _ in range(self._workers)))

    async def stop(self) -> None:
        """Gives up what is not done; the workers end with the event loop."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def request(self, kind: Kind, size: int, done: Done) -> str:
        """Takes a report of `size` milliseconds and returns its job id at once; raises `Busy` when too many wait."""
        if len(self._tasks) >= self._most_waiting:
            raise Busy
        job = secrets.token_hex(16)
        task = asyncio.create_task(self._run(job, kind, size, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    async def _run(self, job: str, kind: Kind, size: int, done: Done) -> None:
        work = self._burn if kind == "cpu" else self._wait_outside
        try:
            async with asyncio.timeout(self._most_seconds):
                cpu_seconds: float | None = await work(size)
        except (TimeoutError, anyio.BrokenWorkerProcess) as error:
            log.error("report failed", job=job, kind=kind, error=type(error).__name__)
            cpu_seconds = None
        await done(job, cpu_seconds)

    async def _burn(self, milliseconds: int) -> float:
        return await to_process.run_sync(cpu.burn, milliseconds, cancellable=True, limiter=self._limiter)

    async def _wait_outside(self, milliseconds: int) -> float:
        """Stands in for a call to somebody else's service: it holds no worker while it waits."""
        await asyncio.sleep(milliseconds / 1000)
        return 0.0
