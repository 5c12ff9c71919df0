"""Runs long-lived tasks. A task that ends or fails is logged, counted and started again.

`/readyz` shows the names of tasks that failed recently.
"""

import asyncio
from collections.abc import Awaitable, Callable

from .observability import Metrics, log

# a task that fails at once, again and again, must not fill the log or the processor
RESTART_SECONDS = 0.5
# cancelled again after this time: before Python 3.12 `asyncio.wait_for` may swallow a cancellation
CANCEL_SECONDS = 0.2


class Background:
    """A group of long-lived tasks. A task that ends or fails is started again."""

    def __init__(self, metrics: Metrics) -> None:
        self._failures = metrics.task_failures
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failing: set[str] = set()

    @property
    def failing(self) -> frozenset[str]:
        """The names of tasks that failed recently.

        A name is removed after its task has run again for `RESTART_SECONDS`.
        """
        return frozenset(self._failing)

    def start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` in a task until `stop()`. If `work` ends or fails, it is called again after `RESTART_SECONDS`."""
        self._tasks[name] = asyncio.create_task(self._run(name, work))

    def repeat(self, name: str, seconds: float, step: Callable[[], Awaitable[None]]) -> None:
        """Call `step` every `seconds` until `stop()`. If one call fails, the later calls still happen."""

        async def work() -> None:
            while True:
                await asyncio.sleep(seconds)
                await step()

        self.start(name, work)

    async def stop(self) -> None:
        """Cancel all tasks, and wait until they have ended."""
        while left := [task for task in self._tasks.values() if not task.done()]:
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=CANCEL_SECONDS)
        self._tasks.clear()

    async def _run(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            healthy = loop.call_later(RESTART_SECONDS, self._failing.discard, name)
            try:
                await work()
                error: Exception | None = None
            except Exception as caught:  # noqa: BLE001 - the one place: an error here would end the task for good
                error = caught
            finally:
                healthy.cancel()
            self._failing.add(name)
            self._failures.labels(name).inc()
            log.error("a long-lived task ended", task=name, exc_info=error)
            await asyncio.sleep(RESTART_SECONDS)
