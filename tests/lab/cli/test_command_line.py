"""Test the command line of `lab`: its results, usage errors and interruptions."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from lab.__main__ import main

START_SECONDS = 30.0


def lab(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lab", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "--only", "11"], "there is no claim '11'; there are 01, 02"),
        (["compare", "--only", ""], "there is no claim ''"),
        (["compare", "--seed", "x"], "invalid int value: 'x'"),
        (["compare", "--json", "/nowhere/at/all.json"], "cannot write /nowhere/at/all.json: No such file"),
        (["compare", "--html", "."], "cannot write .: it is a folder"),
        (["compare", "--readme", "--only", "03"], "--readme writes all ten rows"),
        (["compare", "--workers", "3"], "--workers: 3 is not supported; choose 1 or 2"),
        (["compare", "--workers", "two"], "invalid int value: 'two'"),
        (["compare", "--workers", "2", "--readme"], "--readme writes the rows of one process"),
        (["compare", "more"], "unrecognized arguments: more"),
        (["compar"], "invalid choice: 'compar'"),
        ([], "required: command"),
    ],
)
def test_a_usage_error_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("lab: ")
    assert message in error
    assert error.count("\n") == 1


def test_two_workers_without_redis_server_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["compare", "--workers", "2"]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("lab: redis-server is not installed")
    # nothing is measured before the check
    assert (printed.err.count("\n"), printed.out) == (1, "")


@pytest.mark.parametrize("arguments", [["--help"], ["compare", "--help"]])
def test_every_command_has_help_with_an_example(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 0
    assert "example: lab compare" in capsys.readouterr().out


def test_usage_errors_do_not_import_heavy_modules() -> None:
    program = "import sys, lab.__main__ as m; m.main(['compare', '--seed', 'x']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert not {"socketio", "aiohttp", "matplotlib", "rich", "pydantic"} & set(done.stdout.split())


def test_one_claim_is_compared_and_written_in_any_folder(tmp_path: Path) -> None:
    done = lab("compare", "--only", "03", "--json", "out.json", "--html", "out.html", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 claims shown" in done.stdout
    assert done.stderr == "03 join-room-once: shown (bad 0, good 100)\n"
    claims = json.loads((tmp_path / "out.json").read_text())["claims"]
    assert [(claim["id"], claim["verdict"]) for claim in claims] == [("03", "shown")]
    assert {path.name for path in tmp_path.iterdir()} == {"out.json", "out.html"}


@pytest.mark.parametrize(
    ("sent_signal", "servers", "workers"),
    [
        pytest.param(signal.SIGINT, 0, 1, marks=pytest.mark.slow),
        (signal.SIGINT, 2, 1),
        pytest.param(signal.SIGTERM, 2, 1, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 1, 2, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 7, 2, marks=pytest.mark.slow),
    ],
    ids=["ctrl-c while the first server starts", "ctrl-c", "sigterm", "ctrl-c while Redis starts", "ctrl-c, two"],
)
def test_an_interruption_leaves_no_process_and_no_file(
    sent_signal: signal.Signals, servers: int, workers: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if workers > 1:
        request.getfixturevalue("redis_program")
    command = [sys.executable, "-m", "lab", "compare", "--only", "01,02,05", "--workers", str(workers)]
    process = subprocess.Popen(
        command,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        family = _wait_for_servers(psutil.Process(process.pid), servers)
        # to the whole group, as a terminal does
        os.killpg(process.pid, sent_signal) if sent_signal is signal.SIGINT else process.send_signal(sent_signal)
        output, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert output == "lab: interrupted; every server is stopped\n"
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
    assert list(tmp_path.iterdir()) == []


def _wait_for_servers(process: psutil.Process, count: int) -> list[psutil.Process]:
    """Waits until `count` server processes of `lab compare` listen.

    Returns all its child processes. It polls, because only the operating system knows which processes listen.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        family = process.children(recursive=True)
        if family and sum(map(_listens, family)) >= count:
            return family
        time.sleep(0.02)
    raise TimeoutError("the servers of the comparison did not start")


def _listens(process: psutil.Process) -> bool:
    connections: list[Any] = []
    try:
        connections = process.net_connections("tcp")
    except psutil.Error:
        return False
    return any(connection.status == psutil.CONN_LISTEN for connection in connections)
