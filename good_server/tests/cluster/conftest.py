"""Fixtures for tests of several server processes."""

import aiohttp
import pytest_asyncio


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def many():
    """An HTTP client session without a limit on its connections."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session
