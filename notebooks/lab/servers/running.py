"""Runs a server for the time of an `async with` block."""

from collections.abc import AsyncIterator, Mapping
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
    itself. Raises `UsageError` when redis-server is not installed.
    """
    if workers == 1:
        return _running(Server(side, settings or {}))
    return _running(Fleet(side, settings or {}, workers, makes_reports=makes_reports))


@asynccontextmanager
async def _running(server: Server | Fleet) -> AsyncIterator[Server | Fleet]:
    try:
        await server.start()
        yield server
    finally:
        await complete_even_if_cancelled(server.stop())
