"""Test that no child process, even one that hangs, outlives the lab."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from lab.system import end_with_parent
from lab.system.end_with_parent import ending_with_parent

TIMEOUT_SECONDS = 15.0
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a parent-death signal")
CHILDREN = Path(__file__).with_name("spinning_children.py")
KINDS = ["server", "own_process", "program", "peer", "kernel"]


def has_ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_for_end(processes: set[psutil.Process]) -> None:
    """Fail if one of these processes still runs after `TIMEOUT_SECONDS`.

    A process that has ended may stay in the table of processes until the first process of the system has noticed.
    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while alive := [process for process in processes if not has_ended(process)]:
        if time.monotonic() > deadline:
            for process in alive:
                process.kill()
            raise AssertionError(f"still running: {alive}")
        time.sleep(0.02)


@contextlib.contextmanager
def lab_with(kind: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """Run a lab and its child that spins in C."""
    environment = {**os.environ, "PID_FILE": str(folder / "pid"), "TMPDIR": str(folder)}
    command = [sys.executable, str(CHILDREN), kind]
    lab = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert lab.stdout is not None
        yield lab, psutil.Process(int(lab.stdout.readline()))
    finally:
        lab.kill()
        lab.communicate()


@LINUX
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_child_that_spins_in_c_ends_with_a_killed_lab(kind: str, tmp_path: Path) -> None:
    with lab_with(kind, tmp_path) as (lab, child):
        family = {child, *psutil.Process(lab.pid).children(recursive=True)}
        lab.kill()
        wait_for_end(family)


@LINUX
def test_a_program_ends_with_a_keeper_that_is_killed(tmp_path: Path) -> None:
    with lab_with("program", tmp_path) as (_, child):
        keeper = child.parent()
        assert keeper is not None
        keeper.kill()
        wait_for_end({child})


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=False)


def test_a_command_keeps_its_process_arguments_and_output() -> None:
    program = "import os, sys; print(os.getppid(), os.environ['MARK'], sys.argv[1:]); sys.exit(3)"
    environment = {**os.environ, "MARK": "kept"}
    with subprocess.Popen(
        ending_with_parent([sys.executable, "-c", program, "a b", ""]),
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        output, _ = process.communicate(timeout=30)
    assert output == f"{os.getpid()} kept ['a b', '']\n"
    assert process.returncode == 3


def test_a_command_does_not_start_without_its_parent() -> None:
    done = run(sys.executable, end_with_parent.__file__, "1000000000", sys.executable, "-c", "print('started')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_missing_command_is_reported_in_one_line() -> None:
    done = run(sys.executable, end_with_parent.__file__, str(os.getpid()), "/nowhere/program")
    assert (done.returncode, done.stderr) == (1, "/nowhere/program: No such file or directory\n")


def test_a_command_is_unchanged_where_there_is_no_such_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert ending_with_parent(["redis-server", "--port", "0"]) == ["redis-server", "--port", "0"]
    assert not end_with_parent.end_with_parent()
