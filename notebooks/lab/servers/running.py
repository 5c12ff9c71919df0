"""Runs a server for the time of an `async with` block."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import overload

from lab.servers.fleet import Fleet
from lab.servers.process import Server
from lab.system.spawn import complete_even_if_cancelled


@overload
def running(side: str, *, settings: Mapping[str, str] | None = None) -> AbstractAsyncContextManager[Server]: ...


@overload
def running(
    side: str, *, workers: int, settings: Mapping[str, str] | None = None, makes_reports: bool = False
) -> AbstractAsyncContextManager[Server | Fleet]: ...


def running(
    side: str, *, workers: int = 1, settings: Mapping[str, str] | None = None, makes_reports: bool = False
) -> AbstractAsyncContextManager[Server | Fleet]:
    """Run a new server until the `async with` block ends.

    `side` is `good`, `bad`, or an app as `module:function`. With `workers` above 1 the server has that many processes
    and a shared Redis, and `makes_reports` adds a process that makes the reports. A single process makes its reports
    itself. A process that no longer answers its probe is killed; then an error in the block becomes
    `SilentServerError`. Raises `UsageError` when redis-server is not installed.
    """
    if workers == 1:
        return _running(Server(side, settings or {}))
    return _running(Fleet(side, settings or {}, workers, makes_reports=makes_reports))


@asynccontextmanager
async def _running(server: Server | Fleet) -> AsyncIterator[Server | Fleet]:
    try:
        await server.start()
        async with _watched(server.processes):
            yield server
    finally:
        await complete_even_if_cancelled(server.stop())


@asynccontextmanager
async def _watched(processes: Sequence[Server]) -> AsyncIterator[None]:
    """Watch during the block whether all processes answer.

    After an error in the block they are asked once more.

    Raises `SilentServerError` in place of an error in the block, if a process did not: that is the cause.
    """
    watching = [asyncio.create_task(process.watch()) for process in processes]
    try:
        yield
    except Exception as error:
        await asyncio.gather(*(process.expect_answer() for process in processes))
        for process in processes:
            if process.silence is not None:
                raise process.silence from error
        raise
    finally:
        for task in watching:
            task.cancel()
        await asyncio.wait(watching)
