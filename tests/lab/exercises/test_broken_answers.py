"""Tests answers that end their process, hang, or forget an await.

Each gets one clear sentence, and leaves no process.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from lab.exercises import grade as grading
from lab.exercises import progress_file
from lab.exercises.answer_errors import CELL_MARK
from lab.exercises.grade import Grade, grade
from lab.exercises.server import load_handlers
from lab.exercises.tasks import AnswerError, load_exercise

START_SECONDS = 30.0
END_SECONDS = 15.0
HEAD = """import asyncio, builtins, os, subprocess, sys, time
from bad_server import mistake_03_joins_the_room_once as mistake
from good_server.rooms import rooms_at_connect

"""
JOINED = """class Handlers(mistake.Handlers):
    async def joined(self, request):
        for room in rooms_at_connect(request.identity):
            await request.join(room)
"""
# what stands in `joined`, from line 7 on
IN_JOINED = "class Handlers(mistake.Handlers):\n    async def joined(self, request):\n"


@pytest.fixture(autouse=True)
def separate_progress_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_file, "progress_path", lambda: tmp_path / "progress.json")


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    yield
    marked = [process for process in psutil.process_iter(["cmdline"]) if LEFT in (process.info["cmdline"] or [])]
    assert marked == []


# an argument that marks the processes that an answer starts
LEFT = f"left-by-an-answer-{os.getpid()}"


def slow(statement: str, phrase: str) -> Any:
    """Return the parameters of a slow test."""
    return pytest.param(statement, phrase, marks=pytest.mark.slow)


def assert_fails(result: Grade, phrase: str) -> None:
    """Assert that an answer fails with one line that contains `phrase`."""
    assert not result.passed
    assert phrase in result.message
    assert "\n" not in result.message


WHILE_LOADED = [
    ("sys.exit(0)", "It ends its process while it is loaded: it raised SystemExit in line 5."),
    slow("builtins.quit()", "it raised SystemExit in line 5"),
    slow("os._exit(0)", "does it call os._exit?"),
    slow("while True: pass", "Loading it takes more than 8 s"),
    slow("time.sleep(60)", "Loading it takes more than 8 s"),
    slow("class A:\n    sys.exit(1)", "it raised SystemExit in line 6"),
    slow("class A:\n    while True: pass", "does a loop never end there?"),
]


@pytest.mark.parametrize(("statement", "phrase"), WHILE_LOADED)
async def test_an_answer_that_ends_while_loaded_fails(statement: str, phrase: str) -> None:
    result = await grade(3, f"{HEAD}{statement}\n{JOINED}")
    assert_fails(result, phrase)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "phrase"),
    [("sys.exit(0)", "it raised SystemExit in line 12"), ("while True: pass", "Loading it takes more than 8 s")],
)
async def test_a_constructor_that_does_not_return_fails(statement: str, phrase: str) -> None:
    constructor = (
        f"    def __init__(self, namespace, parts):\n        super().__init__(namespace, parts)\n        {statement}"
    )
    result = await grade(3, f"{HEAD}{JOINED}\n{constructor}")
    assert_fails(result, phrase)


IN_A_HOOK = [
    (
        "request.join('job:1')",
        "An `await` is missing in joined, line 7 (`request.join('job:1')`): coroutine 'Request.join'",
    ),
    slow("sys.exit(0)", "ended the server process with exit in joined, line 7 (`sys.exit(0)`)"),
    slow("builtins.quit()", "ended the server process with quit in joined, line 7"),
    slow("os._exit(0)", "ended the server process with os._exit in joined, line 7"),
    slow("raise SystemExit", "with SystemExit in joined, line 7"),
    slow("while True: pass", "Your code held the event loop for"),
    slow("time.sleep(1)", "Your code held the event loop for"),
    slow("await asyncio.Event().wait()", "line 7 (`await asyncio.Event().wait()`), and did not go on"),
    slow("1 / 0", "first ZeroDivisionError: division by zero in joined. It is line 7 (`1 / 0`)."),
]


@pytest.mark.parametrize(("statement", "phrase"), IN_A_HOOK)
async def test_a_fault_in_a_hook_is_named_with_its_line(statement: str, phrase: str) -> None:
    result = await grade(3, f"{HEAD}{IN_JOINED}        {statement}")
    assert_fails(result, phrase)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "phrase"),
    [
        ("sys.exit(0)", "ended the server process with exit in later, line 13"),
        ("request.join('job:1')", "An `await` is missing in later, line 13"),
        ("time.sleep(0.8)", "Your code held the event loop for"),
        ("1 / 0", "ZeroDivisionError: division by zero in later. It is line 13"),
    ],
)
async def test_a_fault_in_a_background_task_is_named(statement: str, phrase: str) -> None:
    task = f"""
    async def left(self, request):
        self.task = asyncio.create_task(self.later(request))
    async def later(self, request):
        {statement}
"""
    result = await grade(3, f"{HEAD}{JOINED}{task}")
    assert_fails(result, phrase)


@pytest.mark.slow
async def test_a_handler_that_is_no_coroutine_is_named() -> None:
    result = await grade(3, f"{HEAD}class Handlers(mistake.Handlers):\n    def joined(self, request): pass")
    assert not result.passed
    assert "TypeError: joined has to be written with `async def`" in result.message


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("class Handlers:\0 pass", "it is not Python: it contains NUL bytes"),
        ("class Handler(Handlers): pass", r"it has to define class Handlers, .*; it defines class Handler$"),
        ("\n\nprint(undefined)", "it does not run: NameError: .* in line 3"),
        ("(" * 500 + ")" * 500, "is not Python"),
    ],
)
def test_an_answer_without_the_class_is_refused(answer: str, reason: str) -> None:
    with pytest.raises(AnswerError, match=reason) as refused:
        load_handlers(answer, 3)
    assert "\n" not in str(refused.value)


def test_a_line_of_a_notebook_is_the_line_of_its_cell() -> None:
    with pytest.raises(AnswerError, match="in line 2"):
        load_handlers(f"import os\nimport sys\n{CELL_MARK}\n\n1 / 0", 3)


@pytest.mark.slow
async def test_a_grade_has_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grading, "GRADE_SECONDS", 2.0)
    result = await grade(1, load_exercise(1).solution)
    assert not result.passed
    assert result.message.startswith("Not yet. It was not finished within 2 s.")


@pytest.mark.slow
async def test_what_an_answer_starts_is_ended_with_it() -> None:
    child = f"subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(90)', '{LEFT}'])"
    answer = f"{HEAD}{JOINED}        if request.identity.user == 'user-000': {child}"
    assert (await grade(3, answer)).passed


@pytest.mark.slow
@pytest.mark.parametrize("sent_signal", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_an_interrupted_grade_leaves_no_process(tmp_path: Path, sent_signal: signal.Signals) -> None:
    child = f"subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(90)', '{LEFT}'])"
    file = tmp_path / "answer.py"
    file.write_text(f"{HEAD}{JOINED}        if request.identity.user == 'user-000': {child}\n        while True: pass")
    command = [sys.executable, "-m", "lab", "grade", "03", str(file)]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, env=environment, text=True, **streams) as process:
        try:
            family = wait_for_the_answer(psutil.Process(process.pid))
            process.send_signal(sent_signal)
            output, _ = process.communicate(timeout=END_SECONDS)
        finally:
            process.kill()
    assert process.returncode == 130
    assert output.splitlines()[-1] == "lab: interrupted; every server is stopped"
    assert psutil.wait_procs(family, timeout=END_SECONDS)[1] == []
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("lab-")] == []


def wait_for_the_answer(process: psutil.Process) -> list[psutil.Process]:
    """Wait until the answer has started its own process.

    Returns all child processes of `lab grade`.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        family = process.children(recursive=True)
        for child in family:
            # a child that ends just now has no command line
            with contextlib.suppress(psutil.NoSuchProcess):
                if LEFT in child.cmdline():
                    return family
        time.sleep(0.05)
    raise TimeoutError("the answer did not start its process")
