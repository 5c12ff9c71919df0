"""Reports of one process, which wait in memory."""

import asyncio
import secrets

from ..errors import Busy
from ..events import ReportKind
from ..rooms import Address
from ..services.reports import Publish
from ..settings import Settings
from .runner import ReportRunner


class EmbeddedReports:
    """A bounded queue in memory, with the worker processes of this server."""

    def __init__(self, settings: Settings) -> None:
        self._most_waiting = settings.reports_waiting
        self._runner = ReportRunner(settings)
        self._tasks: set[asyncio.Task[None]] = set()
        self._publish: Publish | None = None

    async def start(self, publish: Publish) -> None:
        """Start the worker processes."""
        self._publish = publish
        await self._runner.start()

    async def stop(self) -> None:
        """Cancel unfinished reports; the worker processes end with the event loop."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def request(self, kind: ReportKind, size: int, to: Address) -> str:
        """Accept a report of `size` milliseconds; raise `Busy` when too many wait."""
        if len(self._tasks) >= self._most_waiting:
            raise Busy
        job = secrets.token_hex(16)
        task = asyncio.create_task(self._run(job, kind, size, to))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    async def _run(self, job: str, kind: ReportKind, size: int, to: Address) -> None:
        report = await self._runner.run(job, kind, size)
        if self._publish is not None:
            await self._publish(to, report)
