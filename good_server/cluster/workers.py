"""Runs several server processes behind one port, under one supervisor.

The supervisor is the parent process, which starts and restarts the server processes. These children listen on the
public port with SO_REUSEPORT, and Linux spreads new connections over them. Two pipes connect each child to the
supervisor. Through one pipe the child reports that it is ready, or why it is not. The other pipe closes when the
supervisor ends; the child then stops.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from ..runtime import Addresses
from ..settings import Settings, SettingsError
from .child_process import Ready
from .shared_port import reserved
from .supervisor import CLOSE_SECONDS, RESTART_SECONDS, Supervisor, Worker

LAST_PORT = 65535


def check_workers(settings: Settings, count: int) -> None:
    """Raise `SettingsError` when the server cannot run `count` processes."""
    if count < 1:
        raise SettingsError("--workers must be 1 or more")
    if count == 1:
        return
    if not (hasattr(os, "fork") and hasattr(socket, "SO_REUSEPORT")):
        raise SettingsError("--workers: this system cannot share a port between processes, so 1 is the maximum")
    if settings.redis_url is None:
        raise SettingsError(
            "--workers above 1 needs SERVER_REDIS_URL: without Redis each process knows only its own sockets"
        )
    if settings.internal_port and settings.internal_port + count - 1 > LAST_PORT:
        raise SettingsError(f"SERVER_INTERNAL_PORT: {count} workers need as many ports, starting with this one")


def run_workers(
    settings: Settings,
    create: Callable[[Settings], Any],
    serve: Callable[..., Coroutine[Any, Any, None]],
    announce: Callable[[Sequence[Addresses]], None],
    count: int,
    *,
    restart_seconds: float = RESTART_SECONDS,
    close_seconds: float = CLOSE_SECONDS,
) -> None:
    """Serve with `count` processes until SIGTERM or Ctrl-C.

    SIGHUP restarts the processes one by one. `create` builds the application in each process, and `serve` (the function
    `lifecycle.serve`) serves it. `announce` is called only once, with the addresses of all processes, when all are
    ready. `restart_seconds` is the shortest time between two starts of the same process. A process that still runs
    `settings.shutdown_seconds` + `close_seconds` after SIGTERM is killed. Raises `OSError` when a port is taken, or
    when a process fails before all were ready.
    """

    async def serve_child(settings: Settings, ready: Ready, stop: asyncio.Event) -> None:
        await serve(create(settings), ready, stop, shares_port=True)

    first = settings.internal_port
    internal_ports = [first + number if first else 0 for number in range(count)]
    for internal_port in internal_ports:
        # checked here, so that one message names a taken port; each child binds its own, again after each restart
        with reserved(settings.internal_host, internal_port):
            pass
    with reserved(settings.host, settings.port) as port:
        workers = [
            Worker(number, settings.model_copy(update={"port": port, "internal_port": internal_port}))
            for number, internal_port in enumerate(internal_ports, 1)
        ]
        times = {"restart_seconds": restart_seconds, "close_seconds": close_seconds}
        with Supervisor(workers, serve_child, announce, **times) as supervisor:
            supervisor.run()
