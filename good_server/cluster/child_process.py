"""Runs one of several server processes. The process ends at SIGTERM, or when its supervisor ends."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

import structlog

from ..observability import log
from ..runtime import Addresses, loop_factory
from ..settings import Settings, SettingsError

Ready = Callable[[Addresses], None]
# serves with these settings until the event is set, and calls `Ready` once, when the server listens
ServeChild = Callable[[Settings, Ready, asyncio.Event], Coroutine[Any, Any, None]]


def run_child(number: int, settings: Settings, serve: ServeChild, report_pipe: int, parent_pipe: int) -> NoReturn:
    """Run the server in this forked process, then exit the process.

    `number` identifies the process in its log. `serve` runs the server. `parent_pipe` is the read end of a pipe that
    closes when the supervisor ends; the server then stops. The process writes one line of JSON to `report_pipe`:
    `{"public": address, "internal": address}` when it is ready, or `{"error": reason}` when it cannot start. The
    public address is for clients, and the internal address is for operators and back ends.
    """
    code = 1
    try:
        _reset_signals()
        _add_number_to_logs(number)
        code = _serve(settings, serve, report_pipe, parent_pipe)
    finally:
        # never return into the code that called the supervisor: its clean-up belongs to the parent
        error = sys.exc_info()
        try:
            if error[0] is not None:
                sys.excepthook(*error)
        finally:
            os._exit(code)


def _reset_signals() -> None:
    # only the supervisor reacts to Ctrl-C and a closed terminal, which reach the whole process group
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    # the supervisor blocked these during the fork
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _add_number_to_logs(worker: int) -> None:
    def add_number(_logger: Any, _method: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
        entry["worker"] = worker
        return entry

    # the list is changed in place: a logger that was used before keeps it
    structlog.get_config()["processors"].insert(0, add_number)


def _serve(settings: Settings, serve: ServeChild, report_pipe: int, parent_pipe: int) -> int:
    is_ready = False

    def ready(addresses: Addresses) -> None:
        nonlocal is_ready
        is_ready = True
        _report(report_pipe, public=addresses.public, internal=addresses.internal)

    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_serve_until_stopped(settings, serve, ready, parent_pipe))
    except (OSError, SettingsError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if is_ready:
            log.error("failed", error=reason)
        else:
            _report(report_pipe, error=reason)
        return 2
    return 0


def _report(pipe: int, **fields: str) -> None:
    os.write(pipe, json.dumps(fields).encode() + b"\n")


async def _serve_until_stopped(settings: Settings, serve: ServeChild, ready: Ready, parent_pipe: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop_without_parent() -> None:
        loop.remove_reader(parent_pipe)
        stop.set()

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(parent_pipe, stop_without_parent)
    await serve(settings, ready, stop)
