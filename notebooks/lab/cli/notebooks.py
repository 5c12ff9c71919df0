"""The command `lab notebooks`: builds the notebooks from their sources and runs them."""

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING, Any

from lab.system.exit_codes import EXIT_DONE, EXIT_NOT_DONE, UsageError, interrupt_on_sigterm

# What is heavy is imported when the command needs it: a wrong word should not cost two seconds.
if TYPE_CHECKING:
    from lab.lessons.build_notebooks import Notebook


def add_command(commands: Any) -> None:
    """Adds it to those of `lab`."""
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


def _notebooks(options: argparse.Namespace) -> int:
    from lab.lessons.build_notebooks import NotebooksError, find_notebooks

    try:
        chosen = find_notebooks(options.names)
    except NotebooksError as error:
        raise UsageError(str(error)) from None
    if options.check:
        return _check(chosen, is_all=not options.names)
    interrupt_on_sigterm()
    return asyncio.run(_build(chosen))


def _check(chosen: "list[Notebook]", *, is_all: bool) -> int:
    from lab.lessons.build_notebooks import orphans

    faults = [fault for notebook in chosen if (fault := notebook.drift()) is not None]
    faults += [f"{path.name} has no source" for path in (orphans() if is_all else ())]
    for fault in faults:
        print(f"lab: {fault}", file=sys.stderr)
    if not faults:
        print(f"{len(chosen)} notebooks are as their sources")
    return EXIT_NOT_DONE if faults else EXIT_DONE


async def _build(chosen: "list[Notebook]") -> int:
    from lab.cli.progress_bar import NotebookProgress
    from lab.lessons.build_notebooks import CellError

    code = EXIT_DONE
    with NotebookProgress(len(chosen)) as building:
        for notebook in chosen:
            try:
                executed = await notebook.execute(notebook.path.parent, building.on_progress(notebook.name))
                notebook.save(executed)
                building.done(notebook.name)
            except CellError as error:
                building.failed(f"lab: {error}")
                code = EXIT_NOT_DONE
            except OSError as error:
                raise UsageError(f"cannot write {notebook.path}: {error.strerror}") from None
    return code
