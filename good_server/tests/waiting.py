"""Timeouts of the tests, and waiting for a condition without an event."""

import asyncio

# long, as the machine is shared; only a failing test waits this long
WAIT_SECONDS = 10.0
# a new process imports the server first
PROCESS_SECONDS = 20.0


async def until(condition, seconds=WAIT_SECONDS):
    """Poll until the condition holds. Raises `TimeoutError` when it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.005)
