"""Test `lab storm` and `lab dashboard`: usage errors, results and interruptions."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from lab.__main__ import main

START_SECONDS = 60.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["storm", "--clients", "0"], "--clients: 0 is not a number from 10 to 10,000"),
        (["storm", "--clients", "many"], "invalid int value: 'many'"),
        (["storm", "--rounds", "11"], "--rounds: 11 is not a number from 1 to 10"),
        (["storm", "--json", "."], "cannot write .: it is a folder"),
        (["storm", "--json", "same", "--figure", "./same"], "two results would be written to same"),
        (["dashboard"], "required: FILE"),
        (["dashboard", "."], "cannot write .: it is a folder"),
    ],
)
def test_a_wrong_argument_is_one_line(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    if "./same" in arguments:
        (tmp_path / "same").touch()
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("lab: ")
    assert message in error
    assert error.count("\n") == 1


def test_a_missing_prometheus_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["dashboard", str(tmp_path / "picture.png")]) == 2
    assert capsys.readouterr().err == "lab: prometheus is not installed: apt install prometheus\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of open files")
def test_a_low_limit_of_open_files_is_one_line(tmp_path: Path) -> None:
    import resource

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400))

    command = [sys.executable, "-m", "lab", "storm", "--clients", "2000"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, preexec_fn=lower)
    assert done.returncode == 2
    assert done.stderr == "lab: 2,000 clients need 2,300 open files, and 400 are allowed (ulimit -n)\n"


def start(arguments: list[str], folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "lab", *arguments],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for_processes(process: "subprocess.Popen[str]", count: int) -> list[psutil.Process]:
    deadline = time.monotonic() + START_SECONDS
    while len(family := psutil.Process(process.pid).children(recursive=True)) < count:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return family


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize(("arguments", "processes"), [(["storm", "--clients", "50"], 4), (["dashboard", "a.png"], 5)])
def test_ctrl_c_leaves_no_process_and_no_file(arguments: list[str], processes: int, tmp_path: Path) -> None:
    process = start(arguments, tmp_path)
    try:
        # the fork server, its tracker, the good server, and the clients or Prometheus
        family = wait_for_processes(process, processes)
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert output.endswith("lab: interrupted; every server is stopped\n")
    assert "Traceback" not in output
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_small_storm_is_measured_and_written(tmp_path: Path) -> None:
    command = ["storm", "--clients", "40", "--rounds", "1", "--json", "storm.json", "--figure", "storm.png"]
    done = subprocess.run(
        [sys.executable, "-m", "lab", *command], cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "40 clients, admission at 10 connects per second" in done.stdout
    document = json.loads((tmp_path / "storm.json").read_text())
    assert [len(one["runs"]) for one in document["conditions"]] == [1] * 4
    assert (tmp_path / "storm.png").read_bytes().startswith(b"\x89PNG")
    assert done.stderr.count("\n") == 4
