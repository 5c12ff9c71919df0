"""The steps of the README, done in a copy of the template."""

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

pytestmark = pytest.mark.slow

# a team that renames the folder reads the steps with its own name
README = (FOLDER / "README.md").read_text("utf-8").replace(TEMPLATE_NAME, PACKAGE)
STEP = re.compile(r"(Append to|New file|In) `([^`]+)`[^\n]*:\n\n```(?:python|diff)\n(.*?)```", re.DOTALL)


def patched(text, diff):
    """The text with the diff's added lines. Each goes below the line that it follows there."""
    lines = diff.splitlines()
    for before, added in pairwise(lines):
        if added.startswith("+"):
            assert text.count(f"{before[1:]}\n") == 1, f"the README's {before!r} is not one line of the file"
            text = text.replace(f"{before[1:]}\n", f"{before[1:]}\n{added[1:]}\n")
    return text


@pytest.fixture
def product(tmp_path):
    """A copy of the template with every step of the README done."""
    folder = tmp_path / PACKAGE
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    for how, name, text in STEP.findall(README):
        path = folder / name
        if how == "In":
            path.write_text(patched(path.read_text("utf-8"), text), "utf-8")
        else:
            assert path.exists() == (how == "Append to")
            path.write_text((path.read_text("utf-8") if path.exists() else "") + "\n\n" * path.exists() + text, "utf-8")
    return tmp_path


def environment():
    """Ports of their own, and the copy before whatever is installed."""
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
        assert await vendor.hears("job:reached") == {"driver": "ana", "room": "job:17", "at": ack["data"]["at"]}
        assert await driver.code("job:reach", {"room": "job:18"}) == "forbidden"
        assert await vendor.code("job:reach", {"room": "job:17"}) == "forbidden"


async def test_the_readmes_entitlements_admit_the_users_they_name(product, new_tab):
    ana, eve = new_tab(), new_tab()
    with started(product, "dispatch.py") as url:
        await ana.connect(url, token(product, "ana", "vendor", "job:1"))
        await eve.connect(url, token(product, "eve", "vendor", "job:1"))
        assert (await ana.ask("room:join", {"room": "job:18"}))["ok"]
        assert await eve.code("room:join", {"room": "job:18"}) == "forbidden"
