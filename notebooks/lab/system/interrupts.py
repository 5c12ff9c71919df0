"""Runs the coroutine of a command until its end or an interruption.

Ctrl-C and SIGTERM cancel the coroutine, and its clean-up stops every server. A server that does not answer may block
the clean-up, so its process is killed after a few seconds. If the clean-up still does not end, this process exits.
"""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from lab.system.exit_codes import EXIT_INTERRUPTED

Result = TypeVar("Result")

# a graceful stop of all servers takes about one second
CLEAN_UP_SECONDS = 4.0
TERMINATE_SECONDS = 1.0
# together below ten seconds
AFTER_KILL_SECONDS = 3.0


def interrupt_on_sigterm() -> None:
    """Handle SIGTERM like Ctrl-C, so that both stop every server."""

    def interrupt(*_: object) -> None:
        # not by raising SIGINT: a shell lets a command in the background ignore that
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def run_until_interrupted(
    work: Coroutine[Any, Any, Result], *, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> Result:
    """Run `work` in a new event loop, and return its result.

    Ctrl-C and SIGTERM cancel `work`; after its clean-up, `KeyboardInterrupt` is raised. When the clean-up takes too
    long, the child processes of the lab are killed. Less than ten seconds after the signal, this process exits in any
    case.
    """
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(_interruptible(work))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _interruptible(work: Coroutine[Any, Any, Result]) -> Result:
    with _cancelled_by_signals():
        return await work


@contextlib.contextmanager
def _cancelled_by_signals() -> Iterator[None]:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    deadline = threading.Thread(target=_end_in_time, daemon=True)

    def interrupt(*_: object) -> None:
        if not deadline.is_alive():
            deadline.start()
        if task is not None:
            loop.call_soon_threadsafe(task.cancel)

    # a shell lets a command in the background ignore Ctrl-C, which is meant for the command in the foreground
    wanted = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_in_time() -> None:
    """Kill the child processes after some seconds, then exit this process.

    This function runs in a daemon thread that starts when Ctrl-C or SIGTERM arrives. The thread keeps running after the
    clean-up. The interpreter waits for child processes when it exits, and the thread also limits this wait.
    """
    ended = threading.Event()
    ended.wait(CLEAN_UP_SECONDS)
    kill_children()
    ended.wait(AFTER_KILL_SECONDS)
    sys.stderr.write("lab: interrupted; ended without the clean-up\n")
    sys.stderr.flush()
    os._exit(EXIT_INTERRUPTED)


def kill_children() -> None:
    """Stop the child processes of the lab with SIGTERM, then with SIGKILL.

    The processes have at most `TERMINATE_SECONDS` seconds to end before SIGKILL.
    """
    children = multiprocessing.active_children()
    for child in children:
        child.terminate()
    for child in children:
        child.join(TERMINATE_SECONDS / len(children))
    for child in children:
        if child.is_alive():
            child.kill()
