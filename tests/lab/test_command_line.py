"""`lab` as people use it, and misuse it: one line that says what is wrong, and nothing left behind."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from lab import report
from lab.__main__ import main

WORDS_IN_A_TRACEBACK = "Traceback"


def lab(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lab", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["compare", "--only", "11"], "there is no claim '11'"),
        (["compare", "--only", ""], "there is no claim ''"),
        (["compare", "--seed", "x"], "invalid int value"),
        (["compare", "--json", "/nowhere/at/all.json"], "cannot write /nowhere/at/all.json: No such file"),
        (["compare", "--html", "."], "it is a folder"),
        (["compar"], "invalid choice"),
        ([], "command"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(arguments: list[str], names: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert names in told
    assert told.count("\n") == 1


def test_every_command_has_help_with_an_example() -> None:
    for arguments in (["--help"], ["compare", "--help"]):
        done = lab(*arguments)
        assert done.returncode == 0
        assert "example: lab compare" in done.stdout


def test_one_claim_is_compared_from_any_folder_and_written_as_json(tmp_path: Path) -> None:
    done = lab("compare", "--only", "03", "--json", "out.json", "--html", "out.html", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 claims shown" in done.stdout
    claims = json.loads((tmp_path / "out.json").read_text())["claims"]
    assert [(claim["id"], claim["verdict"]) for claim in claims] == [("03", "shown")]
    assert {path.name for path in tmp_path.iterdir()} == {"out.json", "out.html"}


def test_ctrl_c_ends_everything_with_130() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "lab", "compare", "--only", "01,02,05"], stderr=subprocess.PIPE, text=True
    )
    try:
        watched = psutil.Process(process.pid)
        _wait_for_listeners(watched, 2)
        family = watched.children(recursive=True)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert WORDS_IN_A_TRACEBACK not in told
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


def _wait_for_listeners(process: psutil.Process, count: int) -> None:
    """Until that many server processes of a comparison are serving."""
    import time

    until = time.monotonic() + 20
    while time.monotonic() < until:
        listening = [
            child
            for child in process.children(recursive=True)
            if any(c.status == psutil.CONN_LISTEN for c in _connections(child))
        ]
        if len(listening) >= count:
            return
        time.sleep(0.02)
    raise TimeoutError("the servers of the comparison did not come up")


def _connections(process: psutil.Process) -> list[Any]:
    try:
        return process.net_connections("tcp")
    except psutil.Error:
        return []


def test_the_readme_gets_its_rows_between_the_marks_and_keeps_the_rest(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"# before\n{report.BEGIN}\nold rows\n{report.END}\nafter\n")
    comparison = report.Comparison([], {"versions": {}, "python": "3", "platform": "x", "cpus": 2, "seed": 7}, 1.0)
    report.write_readme(readme, comparison)
    text = readme.read_text()
    assert text.startswith(f"# before\n{report.BEGIN}\n| | claim |")
    assert text.endswith(f"{report.END}\nafter\n")
    assert "old rows" not in text


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(OSError, match="out"):
        report.write(tmp_path / "out", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
