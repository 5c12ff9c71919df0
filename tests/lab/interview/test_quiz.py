"""Tests of `lab quiz` with piped input and a fake clock."""

import io
import os
import signal
import subprocess
import sys
from datetime import date, timedelta

import pytest
from lab.__main__ import main
from lab.interview import last_numbers, quiz_file
from lab.interview.leitner import Card
from lab.interview.question_bank import load_questions

MONDAY = date(2026, 3, 2)
LEVEL_ONE = [question for question in load_questions() if question.level == 1]
NO_NUMBERS = "No numbers were measured on this machine yet."
# importing the command takes two seconds, and more on a busy machine
START_SECONDS = 30.0


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(quiz_file, "quiz_path", lambda: tmp_path / "rooms-not-ids" / "quiz.json")
    monkeypatch.setattr(last_numbers, "last_numbers_path", lambda: tmp_path / "rooms-not-ids" / "last-numbers.json")
    monkeypatch.setattr("lab.cli.quiz.interrupt_on_sigterm", lambda: None)
    on_day(monkeypatch, MONDAY)


def on_day(monkeypatch, day):
    monkeypatch.setattr("lab.cli.quiz.local_day", lambda: day)


@pytest.fixture
def quiz(monkeypatch, capsys):
    """Return a function that runs the quiz with this input.

    It returns the exit code and the output, with one space in place of each line break.
    """

    def run(typed, *arguments):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        code = main(["quiz", *arguments])
        printed = capsys.readouterr()
        return code, " ".join((printed.out + printed.err).split())

    return run


def test_a_known_and_an_unknown_answer_are_recorded(quiz):
    code, output = quiz("\ny\n\nn\n", "--level", "1", "--questions", "2")
    assert code == 0
    assert "Question 1 of 2" in output
    assert "2 answered: 1 known, 1 not known." in output
    assert quiz_file.load().cards == {
        LEVEL_ONE[0].id: Card(box=2, due=MONDAY + timedelta(days=2)),
        LEVEL_ONE[1].id: Card(box=1, due=MONDAY + timedelta(days=1)),
    }


def test_the_answer_is_shown_only_after_the_question(quiz):
    words = LEVEL_ONE[0].answer.split()[:6]
    assert " ".join(words) not in quiz("", "--level", "1")[1]
    assert " ".join(words) in quiz("\n", "--level", "1")[1]


def test_the_end_of_input_keeps_what_was_answered(quiz):
    code, output = quiz("\ny\n\n", "--level", "1")
    assert code == 0
    assert "1 answered: 1 known, 0 not known." in output
    assert quiz_file.load().cards.keys() == {LEVEL_ONE[0].id}


@pytest.mark.parametrize("typed", ["q\n", "\nq\n", ""])
def test_a_quiz_without_an_answer_changes_nothing(quiz, typed):
    code, output = quiz(typed)
    assert (code, quiz_file.quiz_path().exists()) == (0, False)
    assert "0 answered" in output


def test_another_answer_is_asked_again(quiz):
    _, output = quiz("\nperhaps\nYES\n", "--questions", "1")
    assert "Please answer y or n." in output
    assert "1 answered: 1 known" in output


def test_a_question_comes_back_on_its_day(quiz, monkeypatch):
    every = str(len(LEVEL_ONE))
    quiz("\ny\n" * len(LEVEL_ONE), "--level", "1", "--questions", every)
    code, output = quiz("", "--level", "1")
    assert code == 0
    assert output == f"Nothing is due today. The next {every} questions are due on 2026-03-04."
    on_day(monkeypatch, MONDAY + timedelta(days=2))
    assert f"Question 1 of {every}" in quiz("", "--level", "1", "--questions", every)[1]


def test_the_levels_are_asked_separately(quiz):
    _, output = quiz("\n", "--level", "3", "--questions", "1")
    assert "level 3" in output
    assert "new: " + str(sum(question.level == 3 for question in load_questions())) in output


def test_what_waits_for_today_is_counted(quiz, monkeypatch):
    quiz("\nn\n" * 3, "--level", "1", "--questions", "3")
    on_day(monkeypatch, MONDAY + timedelta(days=1))
    assert "2 more are due today." in quiz("\ny\n", "--level", "1", "--questions", "1")[1]


def measured_question():
    """Return the first question that quotes a claim, and the claim's id."""
    for question in LEVEL_ONE:
        if question.measured.strip().startswith("Claim 01:"):
            return question
    raise AssertionError("no question quotes claim 01 first")


def ask_only(monkeypatch, question):
    monkeypatch.setattr("lab.interview.question_bank.load_questions", lambda: (question,))


def test_without_a_run_the_quiz_says_how_to_measure(quiz, monkeypatch):
    ask_only(monkeypatch, measured_question())
    _, output = quiz("\ny\n")
    assert NO_NUMBERS in output
    assert "not on this machine yet. lab compare --only 01 measures it." in output
    assert "1 answered: 1 known" in output


def test_the_answer_has_the_last_numbers_and_their_day(quiz, monkeypatch):
    from lab.results.claims import load_claims

    claim = load_claims()[0]
    row = {"id": "01", "metric": claim.metric, "bad": 487, "good": 3, "verdict": "not_shown", "also": []}
    record = last_numbers.LastNumbers.model_validate({"claims": {"01": {**row, "measured_on": "2026-02-28"}}})
    last_numbers.last_numbers_path().parent.mkdir()
    last_numbers.last_numbers_path().write_text(record.model_dump_json())
    ask_only(monkeypatch, measured_question())
    _, output = quiz("\ny\n")
    assert NO_NUMBERS not in output
    assert "Measured on this machine, 2026-02-28:" in output
    assert "still held 3 ids" in output
    assert "In that run claim 01 was not shown." in output


def test_broken_numbers_do_not_stop_the_quiz(quiz):
    last_numbers.last_numbers_path().parent.mkdir()
    last_numbers.last_numbers_path().write_text("{")
    code, output = quiz("\ny\n", "--questions", "1")
    assert code == 0
    assert "The answers have no numbers: " in output
    assert "1 answered: 1 known" in output


def test_a_broken_record_is_one_line_and_can_be_reset(quiz, capsys):
    quiz_file.quiz_path().parent.mkdir()
    quiz_file.quiz_path().write_text("[]")
    code, output = quiz("\ny\n")
    assert code == 2
    assert output == f"lab: {quiz_file.quiz_path()} is not a record of the quiz; lab quiz --reset begins a new one"
    assert quiz("", "--reset")[0] == 0
    assert quiz("\ny\n", "--questions", "1")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--level", "4"], "invalid choice: 4"),
        (["--level", "one"], "invalid int value: 'one'"),
        (["--questions", "0"], "--questions: 0 is not a number of questions"),
        (["rooms"], "unrecognized arguments: rooms"),
    ],
)
def test_a_usage_error_is_one_line_and_exit_code_2(arguments, message, capsys):
    assert main(["quiz", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("lab: ")
    assert message in error
    assert error.count("\n") == 1


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit):
        main(["quiz", "--help"])
    assert "example: lab quiz" in capsys.readouterr().out


def test_ctrl_c_keeps_what_was_answered(monkeypatch, capsys):
    class Interrupted(io.StringIO):
        def readline(self, *_):
            line = super().readline()
            if not line:
                raise KeyboardInterrupt
            return line

    monkeypatch.setattr("sys.stdin", Interrupted("\ny\n\n"))
    assert main(["quiz", "--level", "1"]) == 130
    assert "1 answered: 1 known" in capsys.readouterr().out
    assert quiz_file.load().cards.keys() == {LEVEL_ONE[0].id}


def started_quiz(tmp_path):
    """Start the quiz as a process, with its own state folder."""
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "lab", "quiz", "--level", "1"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe)


@pytest.mark.skipif(sys.platform != "linux", reason="the state folder is set by XDG_STATE_HOME")
@pytest.mark.parametrize("typed", [b"\ny\n\n\xff\xfe\nn\n", b"\ny\n\nn\n"], ids=["not text", "text"])
def test_a_process_with_piped_input_ends_well(tmp_path, typed):
    process = started_quiz(tmp_path)
    output, error = process.communicate(typed, timeout=START_SECONDS)
    assert (process.returncode, error) == (0, b"")
    assert b"2 answered: 1 known, 1 not known." in output
    assert len(quiz_file.load().cards) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="the state folder is set by XDG_STATE_HOME")
@pytest.mark.parametrize("sent_signal", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_signal_ends_the_process_with_a_summary(tmp_path, sent_signal):
    process = started_quiz(tmp_path)
    try:
        process.stdin.write(b"\ny\n")
        process.stdin.flush()
        # the second question waits for its answer
        for line in process.stdout:
            if b"Question 2" in line:
                break
        process.send_signal(sent_signal)
        output, error = process.communicate(timeout=START_SECONDS)
    finally:
        process.kill()
    assert (process.returncode, error) == (130, b"")
    assert b"1 answered: 1 known, 0 not known." in output
    assert len(quiz_file.load().cards) == 1
