"""Samples a server's state in the background while an experiment runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

SAMPLE_SECONDS = 0.1


@asynccontextmanager
async def sampled(
    measure: Callable[[], Awaitable[dict[str, Any]]], *, every_seconds: float = SAMPLE_SECONDS
) -> AsyncIterator[list[dict[str, Any]]]:
    """Call `measure()` every `every_seconds` seconds during the `async with` block.

    `measure` is also called once before the block and once after it. Yields the list of results, each with its time
    `at_seconds` on the event loop's clock. If `measure` raises during the block, that exception is raised when the
    block ends.
    """
    clock = asyncio.get_running_loop().time
    samples: list[dict[str, Any]] = []

    async def sample() -> None:
        asked_at = clock()
        answer = await measure()
        # the server answered at some time in between
        samples.append({"at_seconds": (asked_at + clock()) / 2, **answer})

    async def repeat() -> None:
        while True:
            await asyncio.sleep(every_seconds)
            await sample()

    await sample()
    sampling = asyncio.create_task(repeat())
    try:
        yield samples
        sampling.cancel()
        await asyncio.wait([sampling])
        if not sampling.cancelled():
            sampling.result()
        await sample()
    finally:
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)
