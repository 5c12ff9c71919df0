"""Answers for the lab's own processes: where they come from, and that each one that was started can be ended."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Coroutine
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any


def process_context() -> BaseContext:
    """Where processes come from: a fork server with everything imported, or spawn where there is none."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lab.servers.probe", "good_server.app", "bad_server.app", "lab.clients.tab"])
    return context


def _start_without_interrupts(process: BaseProcess) -> None:
    """Starts a process, and the fork server with the first one, that a terminal's Ctrl-C does not reach.

    It is for this process alone, which ends the others in order; the fork server would tell of an interrupted import.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        process.start()
        return
    # first, as its own start would unblock the signal again
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def start_process(process: BaseProcess) -> None:
    """Starts it. When this is cancelled, the start is completed first, so that the caller can end the process."""
    # a thread cannot be cancelled: what it starts meanwhile has to be known, to be ended
    await complete_even_if_cancelled(asyncio.to_thread(_start_without_interrupts, process))


async def receive(pipe: Connection, *, timeout: float) -> Any:
    """Receives one object from a child process, and closes the pipe.

    Raises `TimeoutError` after `timeout` seconds, and `EOFError` when the child ended without sending anything.
    """

    def wait() -> Any:
        # closed here, not by a cancelled caller: its descriptor could be given to another file during the wait
        with pipe:
            if not pipe.poll(timeout):
                raise TimeoutError
            return pipe.recv()

    return await asyncio.to_thread(wait)


async def complete_even_if_cancelled(work: Coroutine[Any, Any, None]) -> None:
    """Completes `work` also when cancelled meanwhile, however often, and is cancelled then."""
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


def prepare_child_process() -> None:
    """Leaves Ctrl-C to the lab, which ends its processes in order; ends this one when the lab's is gone anyhow."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
