"""Programs of others beside the servers: they end when they are told to, and with the lab, however that ends."""

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

PATIENCE_SECONDS = 10.0
# ignores every request to end, and has a child of its own that does likewise
STUBBORN = """
import os, signal, sys, time
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
child = os.fork()
if child:
    print(os.getpid(), child, flush=True)
time.sleep(600)
"""
# a lab that keeps such a program until it is ended
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
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not program.lines:  # noqa: ASYNC110 - a file tells nobody that it grew
            await asyncio.sleep(0.01)
    return [int(pid) for pid in program.lines[0].split()]


def are_gone(pids: list[int]) -> bool:
    alive: list[Any] = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    return psutil.wait_procs(alive, timeout=PATIENCE_SECONDS)[1] == []


async def test_a_program_is_ended_with_what_it_has_started_whether_it_wants_or_not(tmp_path: Path) -> None:
    program = Program([sys.executable, "-c", STUBBORN], tmp_path)
    await program.start()
    pids = await pids_of(program)
    await program.stop()
    assert are_gone(pids)
    assert not program.is_running


async def test_it_can_be_started_again(tmp_path: Path) -> None:
    program = Program([sys.executable, "-c", "print('up', flush=True); import time; time.sleep(600)"], tmp_path)
    for times in (1, 2):
        await program.start()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while program.lines != ["up"] * times:  # noqa: ASYNC110 - a file tells nobody that it grew
                await asyncio.sleep(0.01)
        await program.stop()


async def test_one_that_ends_by_itself_is_noticed_with_its_last_words(tmp_path: Path) -> None:
    program = Program([sys.executable, "-c", "print('no room'); print()"], tmp_path)
    await program.start()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while program.is_running:  # noqa: ASYNC110 - no event crosses the process border
            await asyncio.sleep(0.01)
    assert program.last_line == "no room"
    await program.stop()


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT], ids=["killed", "ctrl-c"])
def test_it_ends_with_the_lab(sent: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(LAB)
    command = [sys.executable, str(path), STUBBORN, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True) as lab:
        assert lab.stdout is not None
        pids = [int(pid) for pid in lab.stdout.readline().split()]
        family = [process.pid for process in psutil.Process(lab.pid).children(recursive=True)]
        assert set(pids) <= set(family)
        # a terminal sends Ctrl-C to the whole group
        os.killpg(lab.pid, sent) if sent is signal.SIGINT else lab.kill()
    assert are_gone(family)
