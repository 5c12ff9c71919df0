"""Fixtures for the tests of `INTEGRATE.md`."""

import pytest
import pytest_asyncio

from ..package import SERVER
from ..redis import RealRedis
from ..server_processes import serving

PUBLISH_TOKEN = "a-publish-token-for-tests-only-8fK2qLw0"


@pytest.fixture
def redis():
    with RealRedis() as running:
        yield running


@pytest_asyncio.fixture
async def two_servers(redis, tmp_path):
    """Two real server processes that share a Redis."""
    async with serving(tmp_path, 2, program=SERVER, redis_url=redis.url, publish_token=PUBLISH_TOKEN) as servers:
        yield servers


@pytest_asyncio.fixture
async def one_server(tmp_path):
    """One real server process without Redis."""
    async with serving(tmp_path, 1, program=SERVER, publish_token=PUBLISH_TOKEN) as (server,):
        yield server
