"""Test child processes: cancellation, crashes, and the end of the lab."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from lab.servers.running import running
from lab.system.own_process import in_own_process
from lab.system.spawn import process_context, start_process

TIMEOUT_SECONDS = 10.0
# appends one mark per process that imports it; a server imports it once, like every child of multiprocessing
PROGRAM = """
import asyncio
from lab.servers.running import running

with open(__file__ + ".imports", "a") as imports:
    imports.write("|")

async def main():
    async with running("good"):
        print("up", flush=True)
        await asyncio.Event().wait()

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    path, pipe = tmp_path / "program.py", subprocess.PIPE
    path.write_text(PROGRAM)
    # a killed process cannot remove its temporary files, so they are in the test's folder
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    # a separate process group, so that all processes of a failed test can be killed
    with subprocess.Popen(
        [sys.executable, str(path)], stdout=pipe, text=True, env=environment, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_servers_and_workers_end_when_the_lab_is_killed(program: subprocess.Popen[str]) -> None:
    family = psutil.Process(program.pid).children(recursive=True)
    program.kill()
    program.wait()
    _, alive = psutil.wait_procs(family, timeout=TIMEOUT_SECONDS)
    assert alive == []


def test_server_workers_do_not_import_the_measuring_program(program: subprocess.Popen[str], tmp_path: Path) -> None:
    assert (tmp_path / "program.py.imports").read_text() == "||"


async def test_a_cancellation_while_a_server_stops_is_raised() -> None:
    stopping, pids = asyncio.Event(), []

    async def work() -> None:
        async with running("good") as server:
            pids.append((await server.probe.read()).pid)
            stopping.set()

    task = asyncio.create_task(work())
    await asyncio.wait_for(stopping.wait(), TIMEOUT_SECONDS)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not psutil.pid_exists(pids[0])


async def test_a_cancelled_start_is_completed_and_the_process_known() -> None:
    process = process_context().Process(target=time.sleep, args=(TIMEOUT_SECONDS,), daemon=True)  # type: ignore[attr-defined]
    task = asyncio.create_task(start_process(process))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert process.pid is not None
    process.kill()
    process.join()


async def end_without_result() -> None:
    os._exit(3)


class TwoParts(Exception):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


async def raise_unpicklable_error() -> None:
    raise TwoParts("one", "two")


async def test_a_process_that_ends_without_a_result_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="end_without_result ended its process"):
        await in_own_process(end_without_result)


async def test_an_error_that_cannot_be_pickled_keeps_its_text() -> None:
    with pytest.raises(RuntimeError, match="TwoParts: one and two"):
        await in_own_process(raise_unpicklable_error)
