"""Test that external programs end on request and with the lab."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from lab.system.child_program import Program

TIMEOUT_SECONDS = 10.0
# ignores every signal that it can ignore, and has a child that does the same
STUBBORN = """
import os, signal, sys, time
for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(each, signal.SIG_IGN)
child = os.fork()
if child:
    print(os.getpid(), child, flush=True)
time.sleep(600)
"""
# a lab that runs such a program until the lab ends
LAB = """
import asyncio, sys
from pathlib import Path
from lab.system.child_program import Program

async def main():
    program = Program([sys.executable, "-c", sys.argv[1]], Path(sys.argv[2]))
    await program.start()
    try:
        while not program.lines:
            await asyncio.sleep(0.01)
        print(program.lines[0], flush=True)
        await asyncio.Event().wait()
    finally:
        await program.stop()

if __name__ == "__main__":
    asyncio.run(main())
"""


async def pids_of(program: Program) -> list[int]:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not program.lines:  # noqa: ASYNC110 - there is no event for a file that grows
            await asyncio.sleep(0.01)
    return [int(pid) for pid in program.lines[0].split()]


def are_gone(pids: list[int]) -> bool:
    alive: list[Any] = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    return psutil.wait_procs(alive, timeout=TIMEOUT_SECONDS)[1] == []


async def test_a_program_that_ignores_signals_is_killed_with_children(tmp_path: Path) -> None:
    program = Program([sys.executable, "-c", STUBBORN], tmp_path)
    await program.start()
    pids = await pids_of(program)
    await program.stop()
    assert are_gone(pids)
    assert not program.is_running


async def test_a_program_can_be_started_again(tmp_path: Path) -> None:
    program = Program([sys.executable, "-c", "print('up', flush=True); import time; time.sleep(600)"], tmp_path)
    for times in (1, 2):
        await program.start()
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while program.lines != ["up"] * times:  # noqa: ASYNC110 - there is no event for a file that grows
                await asyncio.sleep(0.01)
        await program.stop()


async def test_a_program_that_ends_by_itself_has_a_last_line(tmp_path: Path) -> None:
    program = Program([sys.executable, "-c", "print('no room'); print()"], tmp_path)
    await program.start()
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while program.is_running:  # noqa: ASYNC110 - there is no event from another process
            await asyncio.sleep(0.01)
    assert program.last_line == "no room"
    await program.stop()


@pytest.mark.parametrize("sent_signal", [signal.SIGKILL, signal.SIGINT], ids=["killed", "ctrl-c"])
def test_a_program_ends_with_the_lab(sent_signal: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(LAB)
    command = [sys.executable, str(path), STUBBORN, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True) as lab:
        assert lab.stdout is not None
        pids = [int(pid) for pid in lab.stdout.readline().split()]
        family = [process.pid for process in psutil.Process(lab.pid).children(recursive=True)]
        assert set(pids) <= set(family)
        # a terminal sends Ctrl-C to the whole process group
        os.killpg(lab.pid, sent_signal) if sent_signal is signal.SIGINT else lab.kill()
    assert are_gone(family)
