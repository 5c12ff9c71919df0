"""Fixtures for all tests of the lab."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
COMPARE_SECONDS = 150
# a test that uses one of these fixtures is slow, unless it is a timing test
SLOW_FIXTURES = {"redis_program", "comparison", "javascript"}
NPM_PACKAGES = ("socket.io@4.8.4", "socket.io-client@4.8.4", "@socket.io/redis-adapter@8.3.0", "redis@5")
NPM_SECONDS = 180


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that use a fixture of `SLOW_FIXTURES` as slow."""
    # this hook runs first, so that `-m` sees the markers
    for item in items:
        needs_real_part = bool(SLOW_FIXTURES & set(getattr(item, "fixturenames", ())))
        if needs_real_part and item.path.is_relative_to(HERE) and item.get_closest_marker("timing") is None:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def own_state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what the tests record out of the user's own state folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the JSON of one complete run of `lab compare`.

    In CI the environment variable `LAB_COMPARE_JSON` names the JSON file of an earlier run. Without the variable, the
    command runs once.
    """
    given = os.environ.get("LAB_COMPARE_JSON")
    path = Path(given) if given else tmp_path_factory.mktemp("compare") / "out.json"
    if not given:
        command = [sys.executable, "-m", "lab", "compare", "--json", str(path)]
        # the exit code is 1 if a claim is not shown; the tests report which one
        subprocess.run(command, capture_output=True, timeout=COMPARE_SECONDS, check=False)
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


@pytest.fixture(scope="session")
def redis_program() -> str:
    """Return the path of the program redis-server.

    Without the program the test is skipped; in CI it fails.
    """
    path = shutil.which("redis-server")
    if path is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("redis-server is not installed")
    return path


@pytest.fixture(scope="session")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the scripts for Node and their packages.

    Without node and npm the test is skipped; in CI it fails.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("node and npm are not installed")
    folder = tmp_path_factory.mktemp("javascript")
    for script in HERE.rglob("*.mjs"):
        shutil.copy(script, folder)
    install = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), *NPM_PACKAGES]
    subprocess.run(install, check=True, capture_output=True, timeout=NPM_SECONDS)
    return folder
