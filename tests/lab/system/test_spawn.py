"""Test that the helper processes of multiprocessing can be ended."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio
import psutil
from lab.servers.running import running
from lab.system.spawn import end_fork_server

async def main():
    for _ in range(2):
        async with running("good"):
            print("running", len(psutil.Process().children()))
        end_fork_server()
        print("ended", len(psutil.Process().children()))

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.slow
def test_the_fork_server_ends_and_starts_again(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    # the children are the fork server and the resource tracker
    assert done.stdout.split() == ["running", "2", "ended", "0"] * 2
