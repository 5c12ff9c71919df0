"""Test `lab grade`, `hint`, `solution`, `progress` and `notebooks`.

The tests check output, exit codes, the progress file and interruptions.
"""

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
from lab.exercises.grade import Grade
from lab.exercises.tasks import load_exercise
from lab.results.run import Run

START_SECONDS = 30.0


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_file, "progress_path", lambda: tmp_path / "state" / "progress.json")
    monkeypatch.setattr("lab.cli.exercises.interrupt_on_sigterm", lambda: None)
    monkeypatch.setattr("lab.cli.notebooks.interrupt_on_sigterm", lambda: None)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["grade", "11"], "there is no exercise '11'; there are 01 to 10"),
        (["grade", "three"], "there is no exercise 'three'"),
        (["grade"], "required: NN"),
        (["grade", "03", "nowhere.py"], "cannot open nowhere.py: No such file"),
        (["grade", "03", "."], "cannot open .: Is a directory"),
        (["hint", "0"], "there is no exercise '0'"),
        (["solution", "99"], "there is no exercise '99'"),
        (["progress", "03"], "unrecognized arguments: 03"),
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


@pytest.mark.parametrize("command", ["notebooks", "grade", "hint", "solution", "progress"])
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main([command, "--help"])
    assert exit_info.value.code == 0
    assert f"example: lab {command}" in capsys.readouterr().out


def test_usage_errors_do_not_import_heavy_modules() -> None:
    program = "import sys, lab.__main__ as m; m.main(['grade', 'x']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert not {"socketio", "nbclient", "IPython", "matplotlib", "rich", "pydantic"} & set(done.stdout.split())


def test_an_exercise_is_written_once_and_then_graded(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grade", "03"]) == 1
    assert "exercise_03.py has the mistake in it" in capsys.readouterr().out
    assert Path("exercise_03.py").read_text() == load_exercise(3).given.lstrip()
    assert main(["grade", "03"]) == 1
    assert "who joins the room on the second connect?" in capsys.readouterr().out


def test_a_passed_answer_is_printed_and_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.py").write_text(load_exercise(3).solution)
    assert main(["grade", "03", "mine.py"]) == 0
    assert capsys.readouterr().out.startswith("Passed. messages received after a reconnect: 100 %")
    assert main(["progress"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert next(line for line in lines if "passed 20" in line).startswith("03  Join rooms on every connect")
    assert lines[-1] == "1 of 10 passed"


def test_an_answer_with_a_syntax_error_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.py").write_text("class Handlers(")
    assert main(["grade", "03", "mine.py"]) == 2
    assert "lab: mine.py: line 1 is not Python: '(' was never closed\n" in capsys.readouterr().err


def test_hints_come_one_at_a_time_and_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["hint", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["hint 1 of 3", "hint 2 of 3"]
    main(["progress"])
    assert "open, 2 hints" in capsys.readouterr().out


def test_a_solution_needs_a_passed_exercise_or_anyway(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["solution", "03"]) == 1
    assert "is not passed yet" in capsys.readouterr().err
    assert main(["solution", "03", "--anyway"]) == 0
    assert "class Handlers" in capsys.readouterr().out


def test_progress_can_be_reset(capsys: pytest.CaptureFixture[str]) -> None:
    progress_file.record_pass("03")
    assert main(["progress", "--reset"]) == 0
    assert main(["progress"]) == 0
    assert capsys.readouterr().out.endswith("0 of 10 passed\n")


def test_an_invalid_record_is_a_usage_error_with_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    progress_file.progress_path().parent.mkdir()
    progress_file.progress_path().write_text("[]")
    assert main(["progress"]) == 2
    assert "is not a record of progress; lab progress --reset begins a new one" in capsys.readouterr().err


def test_the_record_is_kept_outside_the_repository() -> None:
    program = "from lab.exercises import progress_file; print(progress_file.progress_path())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    path = Path(done.stdout.strip())
    assert Path(__file__).resolve().parents[3] not in path.parents
    assert path.name == "progress.json"


@pytest.mark.slow
@pytest.mark.parametrize("sent_signal", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_an_interrupted_build_leaves_no_process_and_no_change(sent_signal: signal.Signals) -> None:
    command = [sys.executable, "-m", "lab", "notebooks", "01"]
    built = Path(__file__).resolve().parents[3] / "notebooks" / "01_stored_socket_ids.ipynb"
    before = built.read_bytes()
    process = subprocess.Popen(command, env={**os.environ}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        family = _wait_for_kernel(psutil.Process(process.pid))
        process.send_signal(sent_signal)
        output, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert output == "lab: interrupted; every server is stopped\n"
    assert psutil.wait_procs(family, timeout=10)[1] == []
    assert built.read_bytes() == before


def _wait_for_kernel(process: psutil.Process) -> list[psutil.Process]:
    """Waits until the kernel of a notebook has started its servers.

    Returns all child processes of `lab notebooks`.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        family = process.children(recursive=True)
        if len(family) >= 4:
            return family
        time.sleep(0.05)
    raise TimeoutError("the kernel did not start its servers")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"class Handlers:\0 pass", "it is not Python: it contains NUL bytes"),
        (b"\xff\xfe\x00", "cannot read mine.py: it is not text"),
        (b"#" * 1_000_001, "cannot read mine.py: it is larger than 1,000,000 bytes"),
        (b"class Handler(Handlers): pass", "it has to define class Handlers"),
    ],
    ids=["nul", "bytes", "large", "other name"],
)
def test_a_file_that_is_no_answer_is_wrong_use(
    content: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine.py").write_bytes(content)
    assert main(["grade", "03", "mine.py"]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(("passed", "code"), [(True, 0), (False, 1)])
def test_a_discussion_follows_a_pass(
    passed: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def grade(*_: object) -> Grade:
        return Grade(passed, Run(1.0), "Graded.", "# Why others fail" if passed else "")

    monkeypatch.setattr("lab.exercises.grade.grade", grade)
    Path("mine.py").write_text("")
    assert main(["grade", "03", "mine.py"]) == code
    assert capsys.readouterr().out == ("Graded.\n\n# Why others fail\n" if passed else "Graded.\n")
