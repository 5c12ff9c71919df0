"""Watches the event loop and the open files of this process."""

import asyncio
import os
import sys

from .background import Background
from .observability import OUT_OF_FILES, Metrics, log
from .settings import Settings

WATCH_SECONDS = 0.5
# beside the clients: listening sockets, Redis, worker processes, libraries that are loaded late
OTHER_FILES = 100


class ProcessWatch:
    """Measures the event loop's lag, and checks for a free file descriptor."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._metrics = metrics
        self._needed = settings.connections + OTHER_FILES
        self._is_full = False
        self._due = 0.0

    def start(self, background: Background) -> None:
        """Start to watch in the background. Warn if too few files may be open for `SERVER_CONNECTIONS` clients."""
        limit = open_files_limit()
        if limit is not None and limit < self._needed:
            log.warning("the limit of open files is too low", limit=limit, needed=self._needed)
        self._due = asyncio.get_running_loop().time() + WATCH_SECONDS
        background.repeat("process watch", WATCH_SECONDS, self.look)

    async def look(self) -> None:
        """Measure the event loop's lag: how late this regular call starts. Also check that a file can be opened."""
        now = asyncio.get_running_loop().time()
        self._metrics.loop_lag.observe(max(0.0, now - self._due))
        self._due = now + WATCH_SECONDS
        self._look_at_files()

    def _look_at_files(self) -> None:
        # no event loop tells reliably that `accept` fails: uvloop is silent
        is_full = not can_open_file()
        if is_full and not self._is_full:
            self._metrics.out_of_files.inc()
            log.error("no file descriptor is left: new clients cannot connect", limit=open_files_limit())
        elif self._is_full and not is_full:
            log.info("file descriptors are free again")
        self._is_full = is_full


def can_open_file() -> bool:
    """Return whether this process can open one more file."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno not in OUT_OF_FILES
    return True


def open_files_limit() -> int | None:
    """Return how many files this process may have open. Return None if there is no limit."""
    if sys.platform == "win32":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if limit == resource.RLIM_INFINITY else limit
