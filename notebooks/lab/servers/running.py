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

    `side` is `good`, `bad`, or an app as `module:function`. `settings` are environment variables of the server. The
    block gets a `Server`, or, with `workers` above 1, a `Fleet` of that many processes with a shared Redis. With
    `makes_reports`, a `Fleet` has an additional process that makes the reports, which are slow jobs that clients
    request. A server of one process makes its reports itself. A process that no longer answers the lab is killed; if
    the block then raises an error, `SilentServerError` is raised instead. Raises `UsageError` if several processes are
    wanted and redis-server is not installed.
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
    """Check repeatedly during the block that all processes still answer.

    If the block raises an error, all processes are checked again. If a process did not answer, `SilentServerError` is
    raised instead of this error, because the silent process caused it.
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
