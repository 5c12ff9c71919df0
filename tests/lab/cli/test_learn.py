"""Test `lab learn`: folders, messages, exit codes and the record."""

import importlib.util
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
from lab.exercises import progress_file
from lab.lessons.build_notebooks import find_notebooks

# JupyterLab reads thousands of files; on a busy machine its start takes most of a minute
START_SECONDS = 90.0
END_SECONDS = 30.0


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(progress_file, "progress_path", lambda: tmp_path / "state" / "progress.json")
    monkeypatch.setattr("lab.cli.learn.interrupt_on_sigterm", lambda: None)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def test_all_notebooks_are_copied_and_the_folder_is_printed(capsys):
    assert main(["learn", "--no-browser"]) == 0
    folder = Path("my-lessons").absolute()
    assert sorted(path.name for path in folder.iterdir()) == [notebook.path.name for notebook in find_notebooks()]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(f"notebooks in {folder}")
    assert lines[1] == f"open it with: jupyter lab {folder}/00_start_here.ipynb"


@pytest.mark.parametrize("number", ["03", "3", "03_join_room_once"])
def test_one_lesson_is_copied_into_a_folder(number, tmp_path, capsys):
    assert main(["learn", number, "--into", str(tmp_path / "a" / "b"), "--no-browser"]) == 0
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["03_join_room_once.ipynb"]
    assert f"1 notebook in {tmp_path}/a/b" in capsys.readouterr().out


def test_an_edited_notebook_is_kept_and_named(capsys):
    main(["learn", "03", "--no-browser"])
    path = Path("my-lessons/03_join_room_once.ipynb")
    path.write_text(path.read_text().replace("my_guess = None", "my_guess = 40"))
    assert main(["learn", "--no-browser"]) == 0
    assert "my_guess = 40" in path.read_text()
    assert "kept, because you have worked in it: 03_join_room_once.ipynb" in capsys.readouterr().out


def test_the_last_copy_is_used_from_any_folder(tmp_path, monkeypatch, capsys):
    main(["learn", "01", "--into", str(tmp_path / "mine"), "--no-browser"])
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["learn", "02", "--no-browser"]) == 0
    assert [path.name[:2] for path in sorted((tmp_path / "mine").iterdir())] == ["01", "02"]
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_progress_knows_the_copies_and_what_was_begun(tmp_path, capsys):
    main(["learn", "--into", str(tmp_path / "mine"), "--no-browser"])
    path = tmp_path / "mine" / "03_join_room_once.ipynb"
    capsys.readouterr()
    main(["progress"])
    assert f"working copy {tmp_path}/mine: begun nothing yet\n" in capsys.readouterr().out
    path.write_text(path.read_text().replace("my_guess = None", "my_guess = 40"))
    main(["progress"])
    assert f"working copy {tmp_path}/mine: begun 03\n" in capsys.readouterr().out


def test_a_copy_that_was_deleted_is_not_shown(tmp_path, capsys):
    progress_file.record_copy(tmp_path / "deleted")
    assert main(["progress"]) == 0
    assert "working copy" not in capsys.readouterr().out


def test_a_record_of_an_older_version_still_loads():
    path = progress_file.progress_path()
    path.parent.mkdir()
    path.write_text(json.dumps({"passed": {"03": "2026-11-01"}, "hints": {"03": 2}}))
    assert progress_file.load().copies == []
    progress_file.record_copy(Path("/somewhere"))
    assert (progress_file.load().copies, list(progress_file.load().passed)) == (["/somewhere"], ["03"])


def test_a_copy_that_cannot_be_recorded_is_still_made(monkeypatch, capsys):
    monkeypatch.setattr(progress_file, "progress_path", lambda: Path("/proc/nowhere/progress.json"))
    assert main(["learn", "03", "--no-browser"]) == 0
    assert Path("my-lessons/03_join_room_once.ipynb").exists()
    assert "lab progress will not know this copy: cannot" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["99"], "there is no notebook '99'; there are 00_start_here"),
        (["three"], "there is no notebook 'three'"),
        (["--into", "a-file"], "a-file is a file, not a folder"),
        (["--into", "/proc/nowhere"], "cannot write to /proc/nowhere: "),
        (["--into", ""], "--into needs the name of a folder"),
    ],
)
def test_a_usage_error_is_one_line_and_exit_code_2(arguments, message, capsys):
    Path("a-file").write_text("")
    assert main(["learn", *arguments, "--no-browser"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("lab: ")
    assert error.count("\n") == 1


def test_without_jupyterlab_the_copy_stays(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["learn", "03"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("lab: JupyterLab is not installed (pip install jupyterlab); the copy is in ")
    assert error.count("\n") == 1
    assert Path("my-lessons/03_join_room_once.ipynb").exists()


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("sent_signal", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_jupyterlab_opens_the_lesson_and_ends_with_the_command(tmp_path, sent_signal):
    # a browser that only notes the address
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    folders = {name: str(tmp_path / "own") for name in ("XDG_STATE_HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    root = {"JUPYTER_CONFIG_PATH": str(tmp_path)}
    (tmp_path / "jupyter_server_config.json").write_text('{"ServerApp": {"allow_root": true}}')
    process = subprocess.Popen(
        [sys.executable, "-m", "lab", "learn", "03", "--into", str(tmp_path / "mine")],
        env={**os.environ, **folders, **root, "BROWSER": f"{browser} %s"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not (tmp_path / "opened").exists():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.1)
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(sent_signal)
        process.communicate(timeout=END_SECONDS)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert psutil.wait_procs(family, timeout=END_SECONDS)[1] == []
