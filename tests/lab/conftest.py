"""What tests of the lab share."""

import os
import shutil

import pytest


@pytest.fixture(scope="session")
def redis_program() -> str:
    """The path of redis-server; without it a skip, and in CI a failure."""
    found = shutil.which("redis-server")
    if found is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("redis-server is not installed")
    return found
