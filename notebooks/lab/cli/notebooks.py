"""The command `lab notebooks`: builds and runs the notebooks."""

import argparse
import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

from lab.cli import results
from lab.system.exit_codes import EXIT_DONE, EXIT_NOT_DONE, UsageError, interrupt_on_sigterm

# Heavy modules are imported only when a command needs them: a usage error should not take two seconds.
if TYPE_CHECKING:
    from lab.lessons.build_notebooks import Notebook


def add_command(commands: Any) -> None:
    """Adds `notebooks` to the commands of `lab`."""
    build = commands.add_parser(
        "notebooks",
        help="build the notebooks from their sources and run them",
        description="Builds notebooks/*.ipynb from notebooks/source, each in a fresh kernel. Exit code 1 if one fails.",
        epilog="example: lab notebooks 01 03_join_room_once",
    )
    build.add_argument(
        "names", metavar="NAME", nargs="*", help="a notebook, such as 03 or 03_join_room_once; without a name: all"
    )
    build.add_argument("--check", action="store_true", help="do not run them; fail when one differs from its source")
    build.set_defaults(run=_notebooks)


def _notebooks(options: argparse.Namespace) -> int:
    from lab.lessons.build_notebooks import NotebooksError, find_notebooks

    try:
        chosen = find_notebooks(options.names)
    except NotebooksError as error:
        raise UsageError(str(error)) from None
    if options.check:
        return _check(chosen, is_all=not options.names)
    results.check_outputs(notebook.path for notebook in chosen)
    # the figures of the notebooks are drawn by Jupyter's own backend
    os.environ.pop("MPLBACKEND", None)
    interrupt_on_sigterm()
    return asyncio.run(_build(chosen))


def _check(chosen: "list[Notebook]", *, is_all: bool) -> int:
    from lab.lessons.build_notebooks import orphans

    faults = [fault for notebook in chosen if (fault := notebook.drift()) is not None]
    faults += [f"{path.name} has no source" for path in (orphans() if is_all else ())]
    for fault in faults:
        print(f"lab: {fault}", file=sys.stderr)
    if not faults:
        print(f"{len(chosen)} notebooks match their sources")
    return EXIT_NOT_DONE if faults else EXIT_DONE


async def _build(chosen: "list[Notebook]") -> int:
    from lab.cli.progress_bar import NotebookProgress
    from lab.lessons.build_notebooks import CellError

    code = EXIT_DONE
    with NotebookProgress(len(chosen)) as progress:
        for notebook in chosen:
            try:
                executed = await notebook.execute(notebook.path.parent, progress.on_progress(notebook.name))
                notebook.save(executed)
                progress.done(notebook.name)
            except CellError as error:
                progress.failed(f"lab: {error}")
                code = EXIT_NOT_DONE
            except OSError as error:
                raise UsageError(f"cannot write {notebook.path}: {error.strerror}") from None
    return code
