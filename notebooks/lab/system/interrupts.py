"""Runs the coroutine of a command until its end or an interruption.

Ctrl-C and SIGTERM cancel the coroutine, and its clean-up stops every server. A server that no longer answers can hold
that clean-up, so its process is killed after a while, and in the end the command itself ends.
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

    Ctrl-C and SIGTERM cancel `work`. Then it raises `KeyboardInterrupt`. When the clean-up of `work` takes too long,
    the child processes of the lab are killed. After less than ten seconds the process exits in any case.
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
    """Kill what holds the clean-up, and in the end this process.

    It runs in a thread, from the interruption to the end of the process: also the interpreter waits for its children.
    """
    ended = threading.Event()
    ended.wait(CLEAN_UP_SECONDS)
    kill_children()
    ended.wait(AFTER_KILL_SECONDS)
    sys.stderr.write("lab: interrupted; ended without the clean-up\n")
    sys.stderr.flush()
    os._exit(EXIT_INTERRUPTED)


def kill_children() -> None:
    """End the processes of the lab by SIGTERM, or else by SIGKILL."""
    children = multiprocessing.active_children()
    for child in children:
        child.terminate()
    for child in children:
        child.join(TERMINATE_SECONDS / len(children))
    for child in children:
        if child.is_alive():
            child.kill()
