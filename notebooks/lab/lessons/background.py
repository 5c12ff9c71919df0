"""Runs tasks of a notebook that continue after their cell has ended.

An example is a live page: a web page with buttons for clients of the bad and the good server. Its servers run while
the reader plays. Background tasks and measurements would disturb each other. So a lesson ends all background tasks
before it measures.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

_running: set[asyncio.Task[None]] = set()


def start(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run `work` as a background task; cancel all earlier background tasks.

    Returns the new task. Raises `RuntimeError` when no event loop is running.
    """
    loop = asyncio.get_running_loop()
    for earlier in _running:
        earlier.cancel()
    task = loop.create_task(work)
    _running.add(task)
    task.add_done_callback(_running.discard)
    return task


def is_running() -> bool:
    """Return whether any background task is still running."""
    return bool(_running)


async def end() -> None:
    """Cancel all background tasks, and wait until they have ended."""
    tasks = list(_running)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
