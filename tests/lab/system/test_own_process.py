"""Processes of the lab: cancelled at a bad moment, crashed, or left alone by a lab that was killed."""

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

PATIENCE_SECONDS = 10.0
# one stroke for each process that imports it; a server imports it once, as every child of multiprocessing does
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
    # who is killed cannot tidy up, so its temporary files are ours to remove
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    # a group of its own, so that whatever a failed test leaves can be ended
    with subprocess.Popen(
        [sys.executable, str(path)], stdout=pipe, text=True, env=environment, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_servers_and_their_workers_die_with_a_lab_that_is_killed(program: subprocess.Popen[str]) -> None:
    family = psutil.Process(program.pid).children(recursive=True)
    program.kill()
    program.wait()
    _, alive = psutil.wait_procs(family, timeout=PATIENCE_SECONDS)
    assert alive == []


def test_the_workers_of_a_server_do_not_import_the_program_that_measures_it(
    program: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert (tmp_path / "program.py.imports").read_text() == "||"


async def test_a_cancellation_while_a_server_stops_is_not_swallowed() -> None:
    leaving, pids = asyncio.Event(), []

    async def work() -> None:
        async with running("good") as server:
            pids.append((await server.probe.read()).pid)
            leaving.set()

    task = asyncio.create_task(work())
    await asyncio.wait_for(leaving.wait(), PATIENCE_SECONDS)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not psutil.pid_exists(pids[0])


async def test_a_start_that_is_cancelled_is_completed_so_that_the_process_can_be_ended() -> None:
    process = process_context().Process(target=time.sleep, args=(PATIENCE_SECONDS,), daemon=True)  # type: ignore[attr-defined]
    task = asyncio.create_task(start_process(process))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert process.pid is not None
    process.kill()
    process.join()


async def end_without_a_word() -> None:
    os._exit(3)


class TwoParts(Exception):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


async def raise_what_cannot_be_pickled() -> None:
    raise TwoParts("one", "two")


async def test_a_process_that_ends_without_a_word_is_told() -> None:
    with pytest.raises(RuntimeError, match="end_without_a_word ended its process"):
        await in_own_process(end_without_a_word)


async def test_an_error_that_cannot_be_pickled_is_told_in_its_words() -> None:
    with pytest.raises(RuntimeError, match="TwoParts: one and two"):
        await in_own_process(raise_what_cannot_be_pickled)
