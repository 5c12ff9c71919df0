"""The command `lab quiz`: asks job interview questions, with spaced repetition."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from lab.cli import results
from lab.system.exit_codes import EXIT_DONE, EXIT_INTERRUPTED, UsageError
from lab.system.interrupts import interrupt_on_sigterm

# Heavy modules are imported only when a command needs them: a usage error should not take two seconds.
if TYPE_CHECKING:
    from lab.interview.question_bank import Question
    from lab.interview.quotations import Numbers

T = TypeVar("T")

LEVELS = (1, 2, 3)
# about ten minutes
QUESTIONS_AT_ONCE = 10
# the width of the text, when the output is not a terminal
COLUMNS_WITHOUT_TERMINAL = 100
YES, NO, QUIT = ("y", "yes"), ("n", "no"), ("q", "quit")


class _EndOfAnswers(Exception):
    """Raised when the learner ends the quiz, or when the input ends."""


def add_command(commands: Any) -> None:
    """Adds `quiz` to the commands of `lab`."""
    quiz = commands.add_parser(
        "quiz",
        help="ask interview questions, with spaced repetition",
        description="Asks the interview questions that are due, and new ones. A question that you know comes back after"
        " a longer time each time, one that you do not know comes back tomorrow. The record is in your state folder."
        " Answers quote the last numbers of lab compare on this machine, if there are any.",
        epilog="example: lab quiz --level 2",
    )
    quiz.add_argument("--level", type=int, choices=LEVELS, help="1 basics, 2 daily work, 3 scale and design")
    at_most = f"ask at most N questions (default: {QUESTIONS_AT_ONCE})"
    quiz.add_argument("--questions", metavar="N", type=int, default=QUESTIONS_AT_ONCE, help=at_most)
    quiz.add_argument("--reset", action="store_true", help="delete the record, so that every question is new again")
    quiz.set_defaults(run=_quiz)


def local_day() -> date:
    """Returns today's date in the local time zone."""
    return datetime.now().astimezone().date()


def _quiz(options: argparse.Namespace) -> int:
    if options.questions < 1:
        raise UsageError(f"--questions: {options.questions} is not a number of questions; it is at least 1")
    from lab.interview import quiz_file

    if options.reset:
        _checking_record(quiz_file.reset)
        _say("The record of the quiz is deleted.")
        return EXIT_DONE
    from lab.interview.leitner import due_questions
    from lab.interview.question_bank import load_questions

    today = local_day()
    questions = [question for question in load_questions() if options.level in (None, question.level)]
    cards = _checking_record(quiz_file.load).cards
    due = due_questions(questions, cards, today=today)[: options.questions]
    if not due:
        _say("Nothing is due today." + _next_line(questions, today))
        return EXIT_DONE
    interrupt_on_sigterm()
    _accept_any_bytes()
    known: list[bool] = []
    code = EXIT_DONE
    try:
        _ask_all(due, known, today)
    except _EndOfAnswers:
        pass
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    _say("\n" + _summary(known, questions, today))
    return code


def _ask_all(due: "Sequence[Question]", known: list[bool], today: date) -> None:
    """Asks the questions in turn, and records each answer at once.

    Appends to `known` True for each question that the learner could answer, and False for each other question. If the
    quiz ends early, `known` has an entry for each question answered before.
    """
    from lab.interview import quiz_file

    numbers = _numbers()
    for position, question in enumerate(due, 1):
        _say(f"\nQuestion {position} of {len(due)} · {question.theme} · level {question.level}")
        _say_markdown(f"**{_one_line(question.ask)}**")
        _read("Answer aloud, then press Enter (q ends the quiz): ")
        _say_markdown(_one_line(question.answer))
        if question.measured:
            _say_markdown(numbers.measured_sentence(question.measured))
        _say_markdown(f"*Follow-up:* {_one_line(question.then)}")
        is_known = _read_yes_or_no("Did you know it? (y/n, q ends the quiz): ")
        _checking_record(partial(quiz_file.record_answer, question.id, known=is_known, today=today))
        known.append(is_known)


def _numbers() -> "Numbers":
    """Returns the last measured numbers, which the answers of the quiz quote.

    `lab compare` measures them on this machine. If it has not run yet, or if the file with the numbers cannot be read,
    this function prints a line that says so, and the result has only other numbers, such as limits of the machine.
    """
    from lab.interview.last_numbers import LastNumbers, LastNumbersError, load

    try:
        last = load()
    except LastNumbersError as error:
        _say(f"The answers have no numbers: {error}")
        return LastNumbers().numbers()
    if not last.claims:
        _say("No numbers were measured on this machine yet. The quiz works without them; lab compare measures them.")
    return last.numbers()


def _summary(known: Sequence[bool], questions: "Sequence[Question]", today: date) -> str:
    from lab.interview import quiz_file
    from lab.interview.leitner import count_by_box, due_questions

    cards = _checking_record(quiz_file.load).cards
    new, *boxes = count_by_box(questions, cards).values()
    in_boxes = ", ".join(f"box {box}: {count}" for box, count in enumerate(boxes, 1))
    waiting = len(due_questions(questions, cards, today=today)) - new
    more = f" {waiting} more are due today." if waiting else ""
    return (
        f"{len(known)} answered: {sum(known)} known, {len(known) - sum(known)} not known.\n"
        f"{in_boxes}, new: {new}.{more}{_next_line(questions, today)}"
    )


def _next_line(questions: "Sequence[Question]", today: date) -> str:
    from lab.interview import quiz_file
    from lab.interview.leitner import next_due

    found = next_due(questions, _checking_record(quiz_file.load).cards, today=today)
    if found is None:
        return ""
    day, count = found
    return f" The next {'question is' if count == 1 else f'{count} questions are'} due on {day}."


def _read_yes_or_no(prompt: str) -> bool:
    while True:
        answer = _read(prompt)
        if answer in (*YES, *NO):
            return answer in YES
        _say("Please answer y or n.")


def _read(prompt: str) -> str:
    """Prints the prompt and returns a line of input, in lower case.

    Raises `_EndOfAnswers` when the learner ends the quiz or there is no more input.
    """
    if sys.stdin is None or sys.stdout is None:
        raise _EndOfAnswers
    try:
        print(prompt, end="", flush=True)
    except OSError:
        results.discard(sys.stdout)
        raise _EndOfAnswers from None
    line = sys.stdin.readline()
    if not sys.stdin.isatty():
        # only a terminal shows the line break that was typed
        _say("")
    answer = line.strip().lower()
    if not line or answer in QUIT:
        raise _EndOfAnswers
    return answer


def _accept_any_bytes() -> None:
    """Makes standard input replace invalid bytes instead of raising an error.

    Such input is then neither yes nor no, so the quiz repeats its yes-or-no question.
    """
    with contextlib.suppress(AttributeError, OSError):
        sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]


def _say(text: str) -> None:
    results.show(text, columns=COLUMNS_WITHOUT_TERMINAL)


def _say_markdown(text: str) -> None:
    from rich.markdown import Markdown

    results.show(Markdown(text), "", columns=COLUMNS_WITHOUT_TERMINAL)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _checking_record(action: Callable[[], T]) -> T:
    """Calls `action` and returns the result of the call.

    `action` reads or writes the quiz record. The quiz record has the day on which each answered question is due again.
    Raises `UsageError` when the record is invalid or cannot be read or written.
    """
    from lab.interview.quiz_file import QuizFileError

    try:
        return action()
    except QuizFileError as error:
        raise UsageError(str(error)) from None
