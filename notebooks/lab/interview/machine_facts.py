"""Reads defaults of the library python-engineio, and limits of this machine.

The answers to job interview questions quote these numbers as `{fact.key}`. A limit that the operating system does not
report is left out.
"""

import contextlib
import inspect
from collections.abc import Mapping
from pathlib import Path

# Linux: the first and the last port that the system gives to an outgoing connection
PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def machine_facts() -> Mapping[str, str]:
    """Return defaults of python-engineio and limits of this machine.

    The result maps a key, such as `ping_interval` or `open_files`, to a number as text.
    """
    return {key: f"{value:,}" for key, value in {**_library_defaults(), **_limits()}.items()}


def _library_defaults() -> dict[str, int]:
    from engineio.base_server import BaseServer

    parameters = inspect.signature(BaseServer.__init__).parameters
    names = {
        "ping_interval": "ping_interval",
        "ping_timeout": "ping_timeout",
        "max_message_bytes": "max_http_buffer_size",
    }
    defaults = {key: parameters[name].default for key, name in names.items()}
    return {**defaults, "silence": defaults["ping_interval"] + defaults["ping_timeout"]}


def _limits() -> dict[str, int]:
    limits = {}
    # Windows has neither
    with contextlib.suppress(ImportError):
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY:
            limits["open_files"] = soft
    with contextlib.suppress(OSError, ValueError):
        first, last = map(int, PORT_RANGE.read_text().split())
        limits["ephemeral_ports"] = last - first + 1
    return limits
