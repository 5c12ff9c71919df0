"""Fixtures for all tests of the lab."""

import os
import shutil

import pytest


@pytest.fixture(scope="session")
def redis_program() -> str:
    """Return the path of redis-server; without it, skip, or fail in CI."""
    path = shutil.which("redis-server")
    if path is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("redis-server is not installed")
    return path
