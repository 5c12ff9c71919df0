"""Compares the heartbeat settings of the lab with the library's defaults."""

from engineio import AsyncServer

from lab.servers.process import LAB_SETTINGS


def heartbeats() -> str:
    """Return two lines: the lab's heartbeat settings and the library's defaults.

    Each line has the interval, the timeout and their sum. The sum is the longest time until a silent connection is
    dropped.
    """
    here = [int(LAB_SETTINGS[f"SERVER_PING_{name}_SECONDS"]) for name in ("INTERVAL", "TIMEOUT")]
    usual = AsyncServer()
    default = [usual.ping_interval, usual.ping_timeout]
    return f"heartbeats: {_words(*here)} here;\n{_words(*default)} by default"


def _words(interval: float, timeout: float) -> str:
    return f"every {interval} s, time-out {timeout} s, so a silent connection is dropped within {interval + timeout} s"
