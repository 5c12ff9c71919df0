"""Running servers: started fresh, and gone when the block ends."""

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
    """A fresh server: `good`, `bad`, or an app as `module:function`. It is gone when the block ends.

    With several workers it is as many processes with a Redis between them, and where it `makes_reports` a process more
    for those, which one process makes by itself; raises `UsageError` where there is no redis-server.
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
