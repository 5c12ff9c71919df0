"""Several server processes behind one port, for as long as one parent lives.

The children listen on the public port with SO_REUSEPORT; Linux spreads new connections over them. Two pipes tie each to
the parent: by one it says that it is ready or why not, the other ends with the parent, and the child with it.
"""

import os
import socket
from collections.abc import Callable, Sequence

from ..lifecycle import Addresses
from ..settings import Settings, SettingsError
from ..cluster.child_process import Create
from ..cluster.supervisor import Parent, Worker
from ..cluster.shared_port import reserved

LAST_PORT = 65535


def check_workers(settings: Settings, count: int) -> None:
    """Raises `SettingsError` when there cannot be so many processes."""
    if count < 1:
        raise SettingsError("--workers must be 1 or more")
    if count == 1:
        return
    if not (hasattr(os, "fork") and hasattr(socket, "SO_REUSEPORT")):
        raise SettingsError("--workers: this system cannot share a port between processes, 1 is the most here")
    if settings.redis_url is None:
        raise SettingsError(
            "--workers above 1 needs SERVER_REDIS_URL: without Redis each process knows its own sockets alone"
        )
    if settings.internal_port and settings.internal_port + count - 1 > LAST_PORT:
        raise SettingsError(f"SERVER_INTERNAL_PORT: {count} workers take as many ports from it on")


def run_workers(
    settings: Settings, create: Create, announce: Callable[[Sequence[Addresses]], None], count: int
) -> None:
    """Serves with `count` processes until SIGTERM or Ctrl-C; SIGHUP renews them one after the other.

    `announce` is called once, when all are ready. Raises `OSError` when a port is taken or a process fails before that.
    """
    first = settings.internal_port
    own = [first + number if first else 0 for number in range(count)]
    for internal_port in own:
        # said here and once, not by each child; they take them alone, and again whenever one is renewed
        with reserved(settings.internal_host, internal_port):
            pass
    with reserved(settings.host, settings.port) as port:
        workers = [
            Worker(number, settings.model_copy(update={"port": port, "internal_port": internal_port}))
            for number, internal_port in enumerate(own, 1)
        ]
        with Parent(workers, create, announce) as parent:
            parent.watch()
