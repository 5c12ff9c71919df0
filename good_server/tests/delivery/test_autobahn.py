"""Tests that the delivery engine passes the Autobahn cases for servers.

They are the cases of the Autobahn test suite, without those about compression, which the engine does not negotiate.
"""

import asyncio
import importlib.util
import json
import os
import sys
from collections import Counter

import pytest

from ..close_watch import watching_closes
from ..package import child_program
from ..server_processes import running_child

RUN_SECONDS = 240
# 1 to 4: frames, pings, reserved bits; 5 and 10: fragments; 6: UTF-8; 7: closing; 9: large messages
GROUPS = {"framing": ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"), "large": ("9.*",)}
CASES = {"framing": 247, "large": 54}
# the cases 9.7 and 9.8 send the next of 1,000 messages only after the echo of the one before
GATHER_MILLISECONDS = {"framing": 5, "large": 0}


@pytest.fixture(autouse=True)
def kosoku():
    """Skip the test without kosoku, or fail it in CI."""
    if importlib.util.find_spec("kosoku") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("kosoku is not installed")


async def run_cases(url, cases):
    """Return one row per case: see `autobahn.py`."""
    command = child_program("autobahn", url.replace("http", "ws", 1), *cases)
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    try:
        written, _ = await asyncio.wait_for(process.communicate(), RUN_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0
    return [json.loads(line) for line in written.splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(RUN_SECONDS)
@pytest.mark.parametrize("group", GROUPS)
async def test_every_autobahn_case_passes_and_closes(group, record_property):
    async with running_child("echo_server", str(GATHER_MILLISECONDS[group])) as server:
        url = json.loads(await server.line())
        async with watching_closes(url) as watch:
            rows = await run_cases(watch.url, GROUPS[group])
        assert await server.ask("?") == {"open": 0, "slow": []}
    assert [row for row in rows if not row["passed"]] == []
    assert len(rows) == len(watch.ended_by_server) == CASES[group]
    assert [rows[number]["case"] for number in watch.left_open] == [], "the server left the TCP connection open"
    record_property("autobahn", dict(Counter(row["behavior"] for row in rows)))
