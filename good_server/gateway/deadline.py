"""Limits how long a coroutine may run. It is fast for coroutines that never suspend, like most handlers."""

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


async def with_deadline(seconds: float, coroutine: Coroutine[Any, Any, T]) -> T:
    """Await `coroutine` and return its result. Raise `TimeoutError` after `seconds`.

    A timer is started only if the coroutine waits for something. Most handlers do not, and a timer would cost as much
    as the handler itself.
    """
    try:
        waits_for = coroutine.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # the end of a coroutine carries its result
    async with asyncio.timeout(seconds):
        return await _rest_of(coroutine, waits_for)


@types.coroutine
def _rest_of(coroutine: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """Run a started coroutine to its end, and return its result.

    `waits_for` is the object that the coroutine yielded last.
    """
    while True:
        try:
            value = yield waits_for
        except BaseException as error:  # noqa: BLE001 - nothing is caught: the coroutine gets it and raises it again
            step: Callable[[Any], Any] = coroutine.throw
            value = error
        else:
            step = coroutine.send
        try:
            waits_for = step(value)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # the end of a coroutine carries its result
