"""The command `lab learn`: copies the notebooks, and opens the copy."""

import argparse
import importlib.util
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.system.exit_codes import EXIT_DONE, EXIT_NOT_DONE, UsageError
from lab.system.interrupts import interrupt_on_sigterm

# Heavy modules are imported only when a command needs them: a usage error should not take two seconds.
if TYPE_CHECKING:
    from lab.lessons.working_copy import WorkingCopy

FOLDER = Path("my-lessons")
# JupyterLab first stops its kernels
END_SECONDS = 10.0


def add_command(commands: Any) -> None:
    """Adds `learn` to the commands of `lab`."""
    learn = commands.add_parser(
        "learn",
        help="make your own copy of the notebooks, without answers, and open it",
        description="Copies the notebooks without their outputs into a folder of your own, and opens it in JupyterLab."
        " A notebook that you have changed is kept. Without --into, the folder is that of your last copy, and at the"
        f" first time {FOLDER} in this folder.",
        epilog="example: lab learn 03 --into ~/lessons",
    )
    learn.add_argument("number", metavar="NN", nargs="?", help="one notebook, such as 03; without it: all")
    learn.add_argument("--into", metavar="FOLDER", help="the folder of the copy")
    learn.add_argument("--no-browser", action="store_true", help="make the copy only, do not open JupyterLab")
    learn.set_defaults(run=_learn)


def describe_copies(folders: Sequence[str]) -> list[str]:
    """Returns one line for each folder in `folders` that still exists.

    Each folder has a copy of the notebooks. The line names the folder, and the notebooks that the learner has changed
    or run.
    """
    from lab.lessons.working_copy import begun_notebooks

    existing = [Path(folder) for folder in folders if Path(folder).is_dir()]
    return [
        f"working copy {folder}: begun {', '.join(begun_notebooks(folder)) or 'nothing yet'}" for folder in existing
    ]


def _learn(options: argparse.Namespace) -> int:
    from lab.lessons.build_notebooks import NotebooksError, find_notebooks
    from lab.lessons.working_copy import WorkingCopyError, copy_notebooks

    wanted = [] if options.number is None else [options.number.zfill(2)]
    try:
        copy = copy_notebooks(find_notebooks(wanted), _folder(options.into))
    except (NotebooksError, WorkingCopyError) as error:
        raise UsageError(str(error)) from None
    for line in [*_report(copy), *_not_recorded(copy.folder)]:
        print(line, flush=True)
    first = sorted([*copy.written, *copy.kept])[0]
    if options.no_browser:
        print(f"open it with: jupyter lab {shlex.quote(str(first))}")
        return EXIT_DONE
    return _open(first)


def _folder(into: str | None) -> Path:
    """Returns the folder for the copy of the notebooks.

    This is `into` if given, otherwise the last copy that still exists, otherwise `FOLDER`. Raises `UsageError` if
    `into` is empty.
    """
    from lab.exercises import progress_file

    if into == "":
        # otherwise it would be the working folder
        raise UsageError("--into needs the name of a folder")
    if into is not None:
        return Path(into).expanduser()
    try:
        copies = progress_file.load().copies
    except progress_file.ProgressFileError:
        return FOLDER
    return next((Path(folder) for folder in reversed(copies) if Path(folder).is_dir()), FOLDER)


def _report(copy: "WorkingCopy") -> list[str]:
    count = len(copy.written) + len(copy.kept)
    lines = [f"{count} {'notebook' if count == 1 else 'notebooks'} in {copy.folder}"]
    if count == 1:
        lines.append("its links to other lessons need their copies, too: lab learn")
    if copy.kept:
        names = ", ".join(path.name for path in copy.kept)
        lines.append(f"kept, because you have worked in {'it' if len(copy.kept) == 1 else 'them'}: {names}")
    return lines


def _not_recorded(folder: Path) -> list[str]:
    """Adds `folder`, a copy of the notebooks, to the progress file.

    Returns an empty list on success. If the progress file cannot be written, the list has one line that says why.
    """
    from lab.exercises import progress_file

    try:
        progress_file.record_copy(folder)
    except progress_file.ProgressFileError as error:
        return [f"lab progress will not know this copy: {error}"]
    return []


def _open(notebook: Path) -> int:
    """Opens a notebook in JupyterLab, and waits until JupyterLab ends.

    Returns the exit code.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        print(
            f"lab: JupyterLab is not installed (pip install jupyterlab); the copy is in {notebook.parent}",
            file=sys.stderr,
        )
        return EXIT_NOT_DONE
    from lab.system.end_with_parent import ending_with_parent

    interrupt_on_sigterm()
    # it does not ask after Ctrl-C whether it should end
    command = [sys.executable, "-m", "jupyterlab", "--ServerApp.answer_yes=True", notebook.name]
    process = subprocess.Popen(ending_with_parent(command), cwd=notebook.parent)  # noqa: S603 - our own command
    try:
        return EXIT_DONE if process.wait() == 0 else EXIT_NOT_DONE
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
