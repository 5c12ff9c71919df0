"""Tests that follow the README's steps in a copy of the template."""

import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from itertools import pairwise

import pytest

from ..package import FOLDER, PACKAGE, TEMPLATE_NAME
from ..waiting import PROCESS_SECONDS

# the tests that a new event must not break
SUITE = ("demo", "contract", "core/test_layers.py")
SUITE_SECONDS = 300

pytestmark = pytest.mark.slow

# a team that renames the folder reads the steps with its own name
README = (FOLDER / "README.md").read_text("utf-8").replace(TEMPLATE_NAME, PACKAGE)
STEP = re.compile(r"(Append to|New file|In) `([^`]+)`[^\n]*:\n\n```(?:python|diff)\n(.*?)```", re.DOTALL)


def patched(text, diff):
    """Return `text` with the added lines of `diff`.

    Each added line goes below the line that precedes it in the diff.
    """
    lines = diff.splitlines()
    for before, added in pairwise(lines):
        if added.startswith("+"):
            assert text.count(f"{before[1:]}\n") == 1, f"the README's {before!r} is not one line of the file"
            text = text.replace(f"{before[1:]}\n", f"{before[1:]}\n{added[1:]}\n")
    return text


@pytest.fixture
def product(tmp_path):
    """A folder with a copy of the template after all README steps."""
    folder = tmp_path / PACKAGE
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__", ".env"))
    for how, name, text in STEP.findall(README):
        path = folder / name
        if how == "In":
            path.write_text(patched(path.read_text("utf-8"), text), "utf-8")
        else:
            assert path.exists() == (how == "Append to")
            path.write_text((path.read_text("utf-8") if path.exists() else "") + "\n\n" * path.exists() + text, "utf-8")
    return tmp_path


def environment():
    """Return the environment variables of the copied server.

    They choose free ports, and import the copy instead of an installed package.
    """
    return {**os.environ, "SERVER_PORT": "0", "SERVER_INTERNAL_PORT": "0", "PYTHONPATH": "."}


@contextmanager
def started(product, *arguments):
    command = [sys.executable, *arguments]
    process = subprocess.Popen(command, cwd=product, env=environment(), stdout=subprocess.PIPE, text=True)
    try:
        line = next((line for line in process.stdout if line.startswith("listening on")), "")
        yield re.search(r"http://[\d.:]+", line)[0]
    finally:
        process.terminate()
        process.wait(PROCESS_SECONDS)
        process.stdout.close()


def token(product, user, role, room):
    command = [sys.executable, "-m", PACKAGE, "token", "--user", user, "--role", role, "--room", room]
    done = subprocess.run(command, cwd=product, env=environment(), check=True, capture_output=True, text=True)
    return done.stdout.strip()


async def test_the_readmes_event_is_served_after_its_three_steps(product, new_tab):
    driver, vendor = new_tab(), new_tab()
    with started(product, "-m", PACKAGE) as url:
        await driver.connect(url, token(product, "ana", "driver", "job:17"))
        await vendor.connect(url, token(product, "ben", "vendor", "job:17"))
        ack = await driver.ask("job:reach", {"room": "job:17"})
        assert await vendor.receives("job:reached") == {"driver": "ana", "room": "job:17", "at": ack["data"]["at"]}
        assert await driver.code("job:reach", {"room": "job:18"}) == "forbidden"
        assert await vendor.code("job:reach", {"room": "job:17"}) == "forbidden"


async def test_the_readmes_entitlements_admit_the_users_they_name(product, new_tab):
    ana, eve = new_tab(), new_tab()
    with started(product, "dispatch.py") as url:
        await ana.connect(url, token(product, "ana", "vendor", "job:1"))
        await eve.connect(url, token(product, "eve", "vendor", "job:1"))
        # joined at connect, without asking
        assert (await ana.ask("chat:send", {"room": "job:18", "text": "here"}))["ok"]
        assert await eve.code("room:join", {"room": "job:18"}) == "forbidden"


@pytest.mark.timeout(SUITE_SECONDS)
def test_the_copys_tests_pass_after_the_three_steps(product):
    chosen = [path for path in (f"{PACKAGE}/tests/{name}" for name in SUITE) if (product / path).exists()]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "0", *chosen]
    environment = {**os.environ, "PYTHONPATH": str(product)}
    done = subprocess.run(command, cwd=product, env=environment, capture_output=True, text=True, timeout=SUITE_SECONDS)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    # the events of the product and the new one have been checked
    assert re.search(r"\d+ passed", done.stdout)
