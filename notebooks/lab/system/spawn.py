"""Starts child processes of the lab, so that each can be stopped.

The child processes ignore Ctrl-C, and end when the lab ends.
"""

import asyncio
import contextlib
import multiprocessing
import multiprocessing.forkserver
import os
import signal
import threading
from collections.abc import Coroutine
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any

from lab.system.end_with_parent import end_with_parent

# imported once by the fork server, so that a process starts in milliseconds
PRELOADED = ["lab.servers.probed_server", "good_server.app", "bad_server.app", "lab.clients.tab"]


def process_context() -> BaseContext:
    """Returns the `multiprocessing` context that starts the lab's processes.

    The context uses a fork server that has already imported large modules. On systems without a fork server it uses
    `spawn`.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _start_without_interrupts(process: BaseProcess) -> None:
    """Starts a process that does not receive Ctrl-C from the terminal.

    Only the calling process handles Ctrl-C, and then stops the other processes. The first call also starts the fork
    server. The fork server does not receive Ctrl-C either, because an interrupt during its imports would print a
    traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        process.start()
        return
    # started first, because its own start would unblock the signal again
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def start_process(process: BaseProcess) -> None:
    """Starts `process`, and completes the start even when the caller is cancelled.

    Because the start is complete, the caller can stop the process after a cancellation.
    """
    # a thread cannot be cancelled, and a process that it starts must be known to be stopped
    await complete_even_if_cancelled(asyncio.to_thread(_start_without_interrupts, process))


async def receive(pipe: Connection, *, timeout: float) -> Any:
    """Receives one object from a child process and closes the pipe.

    Raises `TimeoutError` after `timeout` seconds, and `EOFError` when the child ended without sending anything.
    """

    def wait() -> Any:
        # closed here, not by a cancelled caller: the descriptor could be reused by another file during the wait
        with pipe:
            if not pipe.poll(timeout):
                raise TimeoutError
            return pipe.recv()

    return await asyncio.to_thread(wait)


async def complete_even_if_cancelled(work: Coroutine[Any, Any, None]) -> None:
    """Completes `work` even when the caller is cancelled.

    If the caller was cancelled, once or several times, `CancelledError` is raised after the end of `work`.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        task.result()
        return
    with contextlib.suppress(Exception):
        task.result()
    raise cancelled


def end_fork_server() -> None:
    """Ends the fork server and resource tracker of `multiprocessing`, if they run.

    Call this function when no process of the lab is left. When a process is started later, both start again.
    """
    # multiprocessing has no public way to end them
    multiprocessing.forkserver._forkserver._stop()  # type: ignore[attr-defined]
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


def prepare_child_process() -> None:
    """Prepares this child process: it ignores Ctrl-C and ends with the lab.

    The main process of the lab handles Ctrl-C and stops its child processes.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # the operating system ends also a process that never runs Python again
    if end_with_parent():
        _let_fork_server_end()
    parent = multiprocessing.parent_process()

    def exit_with_parent() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    if parent is not None and not parent.is_alive():
        # the lab ended before the signal was asked for
        os._exit(1)
    # for systems without such a signal
    threading.Thread(target=exit_with_parent, daemon=True).start()


def _let_fork_server_end() -> None:
    """Close this end of the pipe that keeps the fork server alive.

    The fork server is the parent of this process, and gives the pipe to each child. It ends only when all processes
    have closed the pipe. If this process kept the pipe open, a child that hangs would keep the fork server alive. Then
    the operating system would not kill that child, because it kills a child only when its parent ends.
    """
    server: Any = multiprocessing.forkserver._forkserver
    pipe, server._forkserver_alive_fd = server._forkserver_alive_fd, None
    if pipe is not None:
        os.close(pipe)
