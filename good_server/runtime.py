"""Chooses the event loop of a process, and describes a server's addresses."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Addresses:
    """The base URLs of a server. `public` is for clients, and `internal` is for operators and back ends."""

    public: str
    internal: str


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's function that creates an event loop. Without uvloop return None."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def cannot_listen(error: OSError, host: str, port: int) -> OSError:
    """Return `error` with a message that names the address `host:port`."""
    # asyncio words the error differently in each version of Python; the operating system does not
    reason = os.strerror(error.errno) if error.errno else str(error)
    return OSError(error.errno, f"cannot listen on {host}:{port}: {reason}")
