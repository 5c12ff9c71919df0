"""Answers for work in a process of its own, so that a client's load is not what a client measures."""

import asyncio
import pickle
from collections.abc import Awaitable, Callable, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from good_server.runtime import loop_factory
from lab.system.spawn import prepare_child_process, process_context, receive, start_process


async def in_own_process(
    function: Callable[..., Awaitable[Any]], *args: Any, timeout: float = 60.0, is_fast: bool = False
) -> Any:
    """Runs a picklable coroutine function in a process of its own and returns what it gives, or raises what it raised.

    `is_fast` gives it the event loop of the servers. The process is ended when this is cancelled. Raises `TimeoutError`
    after `timeout` seconds, and `RuntimeError` when the process ended without a word or raised what cannot be pickled.
    """
    receiving, sending = Pipe(duplex=False)
    process = process_context().Process(target=_run_in_child, args=(function, args, sending, is_fast), daemon=True)  # type: ignore[attr-defined]
    try:
        with sending:
            await start_process(process)
        succeeded, result = await receive(receiving, timeout=timeout)
    except TimeoutError:
        raise TimeoutError(f"{function.__name__} took longer than {timeout:.0f} s") from None
    except EOFError:
        raise RuntimeError(f"{function.__name__} ended its process without a result") from None
    finally:
        if process.pid is not None:
            process.kill()
            process.join()
    if not succeeded:
        raise result
    return result


def _run_in_child(
    function: Callable[..., Awaitable[Any]], args: Sequence[Any], pipe: Connection, is_fast: bool
) -> None:
    prepare_child_process()
    try:
        with asyncio.Runner(loop_factory=loop_factory() if is_fast else None) as runner:
            pipe.send((True, runner.run(function(*args))))  # type: ignore[arg-type]
    except Exception as error:  # noqa: BLE001 - it is raised again where it was asked for
        pipe.send((False, _portable(error)))


def _portable(error: Exception) -> Exception:
    """The error itself, or its words where it does not survive the way: pickling may fail at either end."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - an error's own code runs here, and may raise anything
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
