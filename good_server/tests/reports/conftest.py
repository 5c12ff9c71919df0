"""Fixtures for tests of report workers and of their queue in Redis."""

import asyncio
from contextlib import AsyncExitStack

import pytest_asyncio
from saq.queue.redis import RedisQueue

from ...reports.queue import connect, queue_name
from ...reports.worker import run_worker
from ...settings import Settings
from ..waiting import WAIT_SECONDS


@pytest_asyncio.fixture(loop_scope="session")
async def worker(worker_pool, shared):
    """`await worker(**settings)` starts a report worker in the test process. A test can patch it there."""
    async with AsyncExitStack() as stack:

        async def start(**settings):
            ready, stop = asyncio.Event(), asyncio.Event()
            task = asyncio.create_task(run_worker(Settings(**(shared | settings)), ready.set, stop))
            stack.push_async_callback(asyncio.wait_for, task, WAIT_SECONDS)
            stack.callback(stop.set)
            await asyncio.wait_for(ready.wait(), WAIT_SECONDS)

        yield start


@pytest_asyncio.fixture(loop_scope="session")
async def looking(shared):
    """`looking(kind)` returns the queue in Redis for this kind of report."""
    settings = Settings(**shared)
    client = connect(settings)
    yield lambda kind: RedisQueue(client, queue_name(settings, kind))
    await client.aclose(close_connection_pool=True)
