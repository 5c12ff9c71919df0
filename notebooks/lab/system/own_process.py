"""Runs a coroutine function in a separate process.

For example, a load generator in a separate process does not slow down the clients that measure.
"""

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
    """Runs `function` in a separate process and returns its result.

    `function` is a coroutine function. The function, its arguments and its result must be picklable. An exception of
    the function is raised in the calling process. With `is_fast` the process uses uvloop, if it is installed. When the
    caller is cancelled, the process is killed. Raises `TimeoutError` after `timeout` seconds, and `RuntimeError` when
    the process ends without a result or its exception cannot be pickled.
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
    except Exception as error:  # noqa: BLE001 - it is raised again in the caller's process
        pipe.send((False, _picklable(error)))


def _picklable(error: Exception) -> Exception:
    """Returns `error` if it can be pickled.

    Otherwise returns a `RuntimeError` with the text of `error`.
    """
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - runs code of the error, which may raise anything
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
