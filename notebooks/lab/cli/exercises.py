"""The exercise commands: `lab grade`, `hint`, `solution` and `progress`."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from lab.cli import results
from lab.system.exit_codes import EXIT_DONE, EXIT_NOT_DONE, UsageError
from lab.system.interrupts import interrupt_on_sigterm, run_until_interrupted

T = TypeVar("T")

# an answer is a page of code
MOST_BYTES = 1_000_000


def add_command(commands: Any) -> None:
    """Adds `grade`, `hint`, `solution` and `progress` to the commands of `lab`."""
    _add_grade(commands)
    _add_hint(commands)
    _add_solution(commands)
    _add_progress(commands)


def _add_grade(commands: Any) -> None:
    grade = commands.add_parser(
        "grade",
        help="run a lesson's scenario on your answer to its exercise",
        description="Grades an exercise. Without FILE the answer is exercise_NN.py in this folder. If that file does"
        " not exist, it is created with the handler that has the mistake. Exit code 0 when it passes, else 1.",
        epilog="example: lab grade 03 mine.py",
    )
    grade.add_argument("number", metavar="NN", help="the exercise, 01 to 10")
    grade.add_argument("file", metavar="FILE", nargs="?", type=Path, help="a file that defines class Handlers")
    grade.set_defaults(run=_grade)


def _add_hint(commands: Any) -> None:
    hint = commands.add_parser(
        "hint",
        help="show the next hint to an exercise",
        description="Shows one more hint each time. The first is vague, the last is exact.",
        epilog="example: lab hint 03",
    )
    hint.add_argument("number", metavar="NN", help="the exercise, 01 to 10")
    hint.set_defaults(run=_hint)


def _add_solution(commands: Any) -> None:
    solution = commands.add_parser(
        "solution",
        help="show a correct answer to an exercise",
        description="Shows a correct answer after you have passed.",
        epilog="example: lab solution 03 --anyway",
    )
    solution.add_argument("number", metavar="NN", help="the exercise, 01 to 10")
    solution.add_argument("--anyway", action="store_true", help="show it even if you have not passed")
    solution.set_defaults(run=_solution)


def _add_progress(commands: Any) -> None:
    progress = commands.add_parser(
        "progress",
        help="show which exercises you have passed",
        description="Shows which exercises are passed. The record is in your state folder, not in the repository.",
        epilog="example: lab progress --reset",
    )
    progress.add_argument("--reset", action="store_true", help="delete the whole record")
    progress.set_defaults(run=_progress)


def _exercise_number(options: argparse.Namespace) -> int:
    """Returns the exercise number that the user gave on the command line.

    Raises `UsageError` when there is no such exercise.
    """
    text: str = options.number
    if not (text.isdigit() and 1 <= int(text) <= 10):
        raise UsageError(f"there is no exercise {text!r}; there are 01 to 10")
    return int(text)


def _grade(options: argparse.Namespace) -> int:
    number = _exercise_number(options)
    from lab.exercises.grade import grade
    from lab.exercises.tasks import AnswerError, load_exercise

    file = options.file if options.file is not None else Path(f"exercise_{number:02}.py")
    try:
        if options.file is None and not file.exists():
            file.write_text(load_exercise(number).given.lstrip(), encoding="utf-8")
            print(f"{file} has the mistake in it: fix it, then run lab grade {number:02} again")
            return EXIT_NOT_DONE
        source = _read(file)
    except OSError as error:
        raise UsageError(f"cannot open {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"cannot read {file}: it is not text") from None
    print(f"exercise {number:02}: measuring …", file=sys.stderr)
    interrupt_on_sigterm()
    try:
        result = run_until_interrupted(grade(number, source))
    except AnswerError as error:
        raise UsageError(f"{file}: {error}") from None
    results.show(str(result), *(["", result.discussion] if result.discussion else []), columns=sys.maxsize)
    return EXIT_DONE if result.passed else EXIT_NOT_DONE


def _read(file: Path) -> str:
    """Returns the text of the file with a learner's answer.

    Raises `UsageError` when the file is too large.
    """
    with file.open("rb") as stream:
        # a device may never end
        data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise UsageError(f"cannot read {file}: it is larger than {MOST_BYTES:,} bytes, so it is no answer")
    return data.decode("utf-8-sig")


def _hint(options: argparse.Namespace) -> int:
    number = _exercise_number(options)
    from lab.exercises.hints import next_hint

    print(_checking_record(lambda: next_hint(number)))
    return EXIT_DONE


def _solution(options: argparse.Namespace) -> int:
    number = _exercise_number(options)
    from lab.exercises.hints import solution
    from lab.exercises.tasks import AnswerError

    try:
        print(_checking_record(lambda: solution(number, anyway=options.anyway)))
    except AnswerError as error:
        print(f"lab: {error}", file=sys.stderr)
        return EXIT_NOT_DONE
    return EXIT_DONE


def _progress(options: argparse.Namespace) -> int:
    from lab.cli.learn import describe_copies
    from lab.exercises import progress_file
    from lab.results.claims import load_claims

    if options.reset:
        _checking_record(progress_file.reset)
        print("the record is deleted")
        return EXIT_DONE
    progress, claims = _checking_record(progress_file.load), load_claims()
    width = max(len(claim.title) for claim in claims)
    for claim in claims:
        passed_on, hint_count = progress.passed.get(claim.id), progress.hints.get(claim.id, 0)
        state = f"passed {passed_on}" if passed_on else "open"
        hints = f", {hint_count} {'hint' if hint_count == 1 else 'hints'}" if hint_count else ""
        print(f"{claim.id}  {claim.title:<{width}}  {state}{hints}")
    for line in describe_copies(progress.copies):
        print(line)
    print(f"{len(progress.passed)} of {len(claims)} passed")
    return EXIT_DONE


def _checking_record(action: Callable[[], T]) -> T:
    """Calls `action` and returns the result of the call.

    `action` reads or writes the progress file. Raises `UsageError` when the progress file is invalid or cannot be read
    or written.
    """
    from lab.exercises.progress_file import ProgressFileError

    try:
        return action()
    except ProgressFileError as error:
        raise UsageError(str(error)) from None
