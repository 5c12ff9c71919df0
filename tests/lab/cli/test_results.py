"""Test that a command of `lab` loses no result at its end."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lab.__main__ import main
from lab.cli import results
from lab.system.exit_codes import UsageError

COMPARE = [sys.executable, "-m", "lab", "compare", "--only", "03"]
TABLE = "1 of 1 claims shown"


def compare(*arguments: str, folder: Path, stdout: int = subprocess.PIPE, **variables: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [*COMPARE, *arguments],
        cwd=folder,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | variables,
    )
    return done.returncode, done.stdout, done.stderr


def claims_in(file: Path) -> list[str]:
    return [claim["id"] for claim in json.loads(file.read_text())["claims"]]


@pytest.mark.slow
def test_a_page_needs_no_backend_of_matplotlib(tmp_path: Path) -> None:
    code, table, errors = compare("--html", "out.html", folder=tmp_path, MPLBACKEND="not-installed")
    assert (code, TABLE in table, "Traceback" in errors) == (0, True, False)
    assert "</html>" in (tmp_path / "out.html").read_text()


def test_a_closed_pipe_loses_neither_table_nor_file(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    code, _, errors = compare("--json", "out.json", folder=tmp_path, stdout=writing)
    os.close(writing)
    assert (code, TABLE in errors, "Error" in errors) == (0, True, False)
    assert claims_in(tmp_path / "out.json") == ["03"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
def test_a_full_disk_keeps_the_other_results(tmp_path: Path) -> None:
    code, table, errors = compare("--json", "/dev/full", "--html", "out.html", folder=tmp_path, TMPDIR=str(tmp_path))
    assert (code, TABLE in table) == (2, True)
    assert "lab: cannot write /dev/full: No space left on device (kept in " in errors
    [kept] = tmp_path.glob("lab-*")
    assert claims_in(kept) == ["03"]
    assert (tmp_path / "out.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_stderr_does_not_end_the_measurement(tmp_path: Path, unbuffered: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    closed: dict[str, Any] = {"stdout": writing, "stderr": writing}
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(
        [*COMPARE, "--json", "out.json"], cwd=tmp_path, env=environment, timeout=60, check=False, **closed
    )
    os.close(writing)
    assert done.returncode == 0
    assert claims_in(tmp_path / "out.json") == ["03"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--json", "no/such/folder.json"], "cannot write no/such/folder.json: No such file or directory"),
        (["--json", "a" * 300], "File name too long"),
        (["--json", "one", "--html", "./one"], "two results would be written to one"),
    ],
)
@pytest.mark.parametrize("command", ["compare", "bench"])
def test_a_file_that_cannot_be_written_is_known_before(
    command: str,
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if command == "bench":
        arguments = [word.replace("--html", "--figure") for word in arguments]
    assert main([command, *arguments]) == 2
    printed = capsys.readouterr()
    assert (message in printed.err, printed.err.count("\n"), printed.out) == (True, 1, "")
    assert list(tmp_path.iterdir()) == []


def test_a_loop_of_links_is_known_before(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match="Too many levels of symbolic links"):
        results.check_outputs([tmp_path / "loop"])


@pytest.mark.parametrize(("command", "option"), [("compare", "--html"), ("bench", "--figure")])
def test_figures_that_cannot_be_drawn_are_known_before(
    command: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "lab.figures.bars", None)
    assert main([command, option, str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("lab: cannot draw figures: ")
    assert (printed.err.count("\n"), printed.out) == (1, "")


def test_each_result_is_written_though_another_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> bytes:
        raise LookupError("no such font")

    outputs = [(tmp_path / "gone" / "1", lambda: b"1"), (tmp_path / "2", fail), (tmp_path / "3", lambda: b"3")]
    kept = tmp_path / "kept"
    kept.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(kept))
    with pytest.raises(UsageError) as error:
        results.write(outputs)
    [first] = kept.iterdir()
    assert first.read_bytes() == b"1"
    assert f"1: No such file or directory (kept in {first}); " in str(error.value)
    assert str(error.value).endswith("2: LookupError: no such font")
    assert (tmp_path / "3").read_bytes() == b"3"
