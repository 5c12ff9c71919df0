"""Answers for one of several server processes: it says when it is ready, and ends when its parent says so or dies."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import structlog

from ..app import Application
from ..lifecycle import Addresses, loop_factory, serve
from ..observability import log
from ..settings import Settings, SettingsError

Create = Callable[[Settings], Application]


def be_child(number: int, settings: Settings, create: Create, say: int, life: int) -> NoReturn:
    """What a forked process does; `say` is the pipe to its parent, and `life` one that ends with the parent.

    Says one JSON line, `{"public": …, "internal": …}` when ready or `{"error": …}`.
    """
    code = 1
    try:
        _forget_parent()
        _number_logs(number)
        code = _serve(settings, create, say, life)
    finally:
        # never back into the code that called the parent: what it would clean up is the parent's
        error = sys.exc_info()
        try:
            if error[0] is not None:
                sys.excepthook(*error)
        finally:
            os._exit(code)


def _forget_parent() -> None:
    """The parent alone is told to end: Ctrl-C and a closed terminal reach the whole group."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    # blocked by the parent while it forked
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _number_logs(worker: int) -> None:
    def add_number(_logger: Any, _method: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
        entry["worker"] = worker
        return entry

    # into the same list, as a logger that was used before keeps it
    structlog.get_config()["processors"].insert(0, add_number)


def _serve(settings: Settings, create: Create, say: int, life: int) -> int:
    is_ready = False

    def ready(addresses: Addresses) -> None:
        nonlocal is_ready
        is_ready = True
        _say(say, public=addresses.public, internal=addresses.internal)

    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_serve_until_told(settings, create, ready, life))
    except (OSError, SettingsError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if is_ready:
            log.error("failed", error=why)
        else:
            _say(say, error=why)
        return 2
    return 0


def _say(pipe: int, **words: str) -> None:
    os.write(pipe, json.dumps(words).encode() + b"\n")


async def _serve_until_told(settings: Settings, create: Create, ready: Callable[[Addresses], None], life: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def lose_parent() -> None:
        loop.remove_reader(life)
        stop.set()

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(life, lose_parent)
    await serve(create(settings), ready, stop, shares_port=True)
