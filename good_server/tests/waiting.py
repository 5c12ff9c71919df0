"""Timeouts of the tests, and a function that waits for a condition."""

import asyncio

# long, as the machine is shared; only a failing test waits this long
WAIT_SECONDS = 10.0
# a new process imports the server first
PROCESS_SECONDS = 20.0


async def until(condition, seconds=WAIT_SECONDS):
    """Wait until `condition()` is true. Raises `TimeoutError` after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.005)


async def ask_until_yes(ask):
    """Call `await ask()` again and again until it returns true. Redis sends no event."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not await ask():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.02)
