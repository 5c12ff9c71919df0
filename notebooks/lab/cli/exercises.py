"""The commands of exercises: `lab grade`, `lab hint`, `lab solution` and `lab progress`."""

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from lab.system.exit_codes import EXIT_DONE, EXIT_NOT_DONE, UsageError, interrupt_on_sigterm

T = TypeVar("T")


def add_command(commands: Any) -> None:
    """Adds the four to those of `lab`."""
    _add_grade(commands)
    _add_hint(commands)
    _add_solution(commands)
    _add_progress(commands)


def _add_grade(commands: Any) -> None:
    grade = commands.add_parser(
        "grade",
        help="run a lesson's own scenario on your answer to its exercise",
        description="Grades an exercise. Without FILE the answer is exercise_NN.py here; where there is none, the"
        " handler with the mistake in it is written there. Exit 0 when it passes, else 1.",
        epilog="example: lab grade 03 mine.py",
    )
    grade.add_argument("number", metavar="NN", help="the exercise, 01 to 10")
    grade.add_argument("file", metavar="FILE", nargs="?", type=Path, help="a file that defines class Handlers")
    grade.set_defaults(run=_grade)


def _add_hint(commands: Any) -> None:
    hint = commands.add_parser(
        "hint",
        help="show the next hint to an exercise",
        description="Shows one hint more each time: vague at first, exact at last.",
        epilog="example: lab hint 03",
    )
    hint.add_argument("number", metavar="NN", help="the exercise, 01 to 10")
    hint.set_defaults(run=_hint)


def _add_solution(commands: Any) -> None:
    solution = commands.add_parser(
        "solution",
        help="show one right answer to an exercise",
        description="Shows one right answer, once you have passed.",
        epilog="example: lab solution 03 --anyway",
    )
    solution.add_argument("number", metavar="NN", help="the exercise, 01 to 10")
    solution.add_argument("--anyway", action="store_true", help="show it before you have passed")
    solution.set_defaults(run=_solution)


def _add_progress(commands: Any) -> None:
    progress = commands.add_parser(
        "progress",
        help="show which exercises you have passed",
        description="Shows which exercises are passed. That is kept in your own state folder, not in the repository.",
        epilog="example: lab progress --reset",
    )
    progress.add_argument("--reset", action="store_true", help="forget all of it")
    progress.set_defaults(run=_progress)


def _number(options: argparse.Namespace) -> int:
    """The exercise's number; raises `UsageError`."""
    text: str = options.number
    if not (text.isdigit() and 1 <= int(text) <= 10):
        raise UsageError(f"there is no exercise {text!r}; there are 01 to 10")
    return int(text)


def _grade(options: argparse.Namespace) -> int:
    number = _number(options)
    from lab.exercises.grade import grade
    from lab.exercises.tasks import AnswerError, load_exercise

    file = options.file if options.file is not None else Path(f"exercise_{number:02}.py")
    try:
        if options.file is None and not file.exists():
            file.write_text(load_exercise(number).given.lstrip(), encoding="utf-8")
            print(f"{file} has the mistake in it: mend it, then run lab grade {number:02} again")
            return EXIT_NOT_DONE
        source = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot open {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"cannot read {file}: it is not text") from None
    print(f"exercise {number:02}: measuring …", file=sys.stderr)
    interrupt_on_sigterm()
    try:
        result = asyncio.run(grade(number, source))
    except AnswerError as error:
        raise UsageError(f"{file}: {error}") from None
    print(result)
    return EXIT_DONE if result.passed else EXIT_NOT_DONE


def _hint(options: argparse.Namespace) -> int:
    number = _number(options)
    from lab.exercises.hints import next_hint

    print(_recorded(lambda: next_hint(number)))
    return EXIT_DONE


def _solution(options: argparse.Namespace) -> int:
    number = _number(options)
    from lab.exercises.hints import solution
    from lab.exercises.tasks import AnswerError

    try:
        print(_recorded(lambda: solution(number, anyway=options.anyway)))
    except AnswerError as error:
        print(f"lab: {error}", file=sys.stderr)
        return EXIT_NOT_DONE
    return EXIT_DONE


def _progress(options: argparse.Namespace) -> int:
    from lab.exercises import progress_file
    from lab.results.claims import load_claims

    if options.reset:
        _recorded(progress_file.reset)
        print("nothing is recorded any more")
        return EXIT_DONE
    known, claims = _recorded(progress_file.load), load_claims()
    width = max(len(claim.title) for claim in claims)
    for claim in claims:
        passed, hints = known.passed.get(claim.id), known.hints.get(claim.id, 0)
        state = f"passed {passed}" if passed else "open"
        taken = f", {hints} {'hint' if hints == 1 else 'hints'}" if hints else ""
        print(f"{claim.id}  {claim.title:<{width}}  {state}{taken}")
    print(f"{len(known.passed)} of {len(claims)} passed")
    return EXIT_DONE


def _recorded(action: Callable[[], T]) -> T:
    """What the action gives; a record that cannot be used is the user's to know of."""
    from lab.exercises.progress_file import ProgressFileError

    try:
        return action()
    except ProgressFileError as error:
        raise UsageError(str(error)) from None
