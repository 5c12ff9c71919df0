"""The command line of those who learn: notebooks built and run, exercises graded, hints, solutions, progress."""

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lab.usage import EXIT_DONE, EXIT_NOT_DONE, UsageError, end_in_order

# What is heavy is imported when a command needs it: a wrong word should not cost two seconds.
if TYPE_CHECKING:
    from lab.notebooks import Notebook

T = TypeVar("T")


def add_commands(commands: Any) -> None:
    """Adds them to those of `lab`."""
    build = commands.add_parser(
        "notebooks",
        help="build the notebooks from their sources and run them",
        description="Builds notebooks/*.ipynb from notebooks/source, each in a fresh kernel. Exit 1 where one fails.",
        epilog="example: lab notebooks 01 03_join_room_once",
    )
    build.add_argument(
        "names", metavar="NAME", nargs="*", help="a notebook, as 03 or 03_join_room_once; all without one"
    )
    build.add_argument("--check", action="store_true", help="run nothing; fail where one differs from its source")
    build.set_defaults(run=_notebooks)

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

    hint = commands.add_parser(
        "hint",
        help="show the next hint to an exercise",
        description="Shows one hint more each time: vague at first, exact at last.",
        epilog="example: lab hint 03",
    )
    hint.add_argument("number", metavar="NN", help="the exercise, 01 to 10")
    hint.set_defaults(run=_hint)

    solution = commands.add_parser(
        "solution",
        help="show one right answer to an exercise",
        description="Shows one right answer, once you have passed.",
        epilog="example: lab solution 03 --anyway",
    )
    solution.add_argument("number", metavar="NN", help="the exercise, 01 to 10")
    solution.add_argument("--anyway", action="store_true", help="show it before you have passed")
    solution.set_defaults(run=_solution)

    progress = commands.add_parser(
        "progress",
        help="show which exercises you have passed",
        description="Shows which exercises are passed. That is kept in your own state folder, not in the repository.",
        epilog="example: lab progress --reset",
    )
    progress.add_argument("--reset", action="store_true", help="forget all of it")
    progress.set_defaults(run=_progress)


def _notebooks(options: argparse.Namespace) -> int:
    from lab.notebooks import NotebooksError, find_notebooks

    try:
        chosen = find_notebooks(options.names)
    except NotebooksError as error:
        raise UsageError(str(error)) from None
    if options.check:
        return _check(chosen, is_all=not options.names)
    end_in_order()
    return asyncio.run(_build(chosen))


def _check(chosen: "list[Notebook]", *, is_all: bool) -> int:
    from lab.notebooks import orphans

    faults = [fault for notebook in chosen if (fault := notebook.drift()) is not None]
    faults += [f"{path.name} has no source" for path in (orphans() if is_all else ())]
    for fault in faults:
        print(f"lab: {fault}", file=sys.stderr)
    if not faults:
        print(f"{len(chosen)} notebooks are as their sources")
    return EXIT_NOT_DONE if faults else EXIT_DONE


async def _build(chosen: "list[Notebook]") -> int:
    from lab.notebooks import CellError
    from lab.progress import Building

    code = EXIT_DONE
    with Building(len(chosen)) as building:
        for notebook in chosen:
            try:
                executed = await notebook.execute(notebook.path.parent, building.told(notebook.name))
                notebook.save(executed)
                building.done(notebook.name)
            except CellError as error:
                building.failed(f"lab: {error}")
                code = EXIT_NOT_DONE
            except OSError as error:
                raise UsageError(f"cannot write {notebook.path}: {error.strerror}") from None
    return code


def _number(options: argparse.Namespace) -> int:
    """The exercise's number; raises `UsageError`."""
    text: str = options.number
    if not (text.isdigit() and 1 <= int(text) <= 10):
        raise UsageError(f"there is no exercise {text!r}; there are 01 to 10")
    return int(text)


def _grade(options: argparse.Namespace) -> int:
    number = _number(options)
    from lab.exercise_server import AnswerError
    from lab.grade import grade, load_exercise

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
    end_in_order()
    try:
        result = asyncio.run(grade(number, source))
    except AnswerError as error:
        raise UsageError(f"{file}: {error}") from None
    print(result)
    return EXIT_DONE if result.passed else EXIT_NOT_DONE


def _hint(options: argparse.Namespace) -> int:
    number = _number(options)
    from lab.grade import next_hint

    print(_recorded(lambda: next_hint(number)))
    return EXIT_DONE


def _solution(options: argparse.Namespace) -> int:
    number = _number(options)
    from lab.exercise_server import AnswerError
    from lab.grade import solution

    try:
        print(_recorded(lambda: solution(number, anyway=options.anyway)))
    except AnswerError as error:
        print(f"lab: {error}", file=sys.stderr)
        return EXIT_NOT_DONE
    return EXIT_DONE


def _progress(options: argparse.Namespace) -> int:
    from lab import record
    from lab.claims import load_claims

    if options.reset:
        _recorded(record.reset)
        print("nothing is recorded any more")
        return EXIT_DONE
    known, claims = _recorded(record.load), load_claims()
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
    from lab.record import RecordError

    try:
        return action()
    except RecordError as error:
        raise UsageError(str(error)) from None
