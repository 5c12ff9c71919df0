"""Copies of the notebooks without outputs, for a learner to work in.

A copy has no outputs, so a learner can guess before seeing an answer. The notebooks of the repository stay unchanged. A
notebook that the learner has changed or run is never overwritten.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from lab.lessons.build_notebooks import Notebook
from lab.system.atomic_file import write

# the key in a copy's metadata; JupyterLab keeps keys that it does not know
KEY = "rooms_not_ids"
FINGERPRINT = "fingerprint_of_the_copy"
# git ignores a folder that contains this file, the file included
IGNORE_FILE, IGNORE_ALL = ".gitignore", b"*\n"
PATTERN = "[0-9][0-9]_*.ipynb"


class WorkingCopyError(Exception):
    """The learner's copies of the notebooks cannot be written to the folder.

    A one-line message says why.
    """


@dataclass(frozen=True)
class WorkingCopy:
    """A folder with a learner's notebooks.

    `written` are the notebooks that were created or replaced. `kept` are the notebooks that were not replaced, because
    the learner has worked in them.
    """

    folder: Path
    written: Sequence[Path]
    kept: Sequence[Path]


def copy_notebooks(notebooks: Sequence[Notebook], folder: Path) -> WorkingCopy:
    """Copy notebooks without outputs into `folder`.

    If `folder` does not exist, it is created. A notebook that the learner has changed or run is not replaced. Returns
    which notebooks were written and which were kept. Raises `WorkingCopyError` if the folder cannot be used.
    """
    folder = folder.absolute()
    written: list[Path] = []
    kept: list[Path] = []
    try:
        _prepare(folder, notebooks[0].path.parent)
        for notebook in notebooks:
            path = folder / notebook.path.name
            if path.exists() and is_begun(path):
                kept.append(path)
                continue
            write(path, _fresh(notebook))
            written.append(path)
    except OSError as error:
        raise WorkingCopyError(f"cannot write to {error.filename or folder}: {error.strerror}") from None
    return WorkingCopy(folder, written, kept)


def is_begun(path: Path) -> bool:
    """Whether a learner has changed or run a copied notebook.

    Also true for a file that `copy_notebooks` did not write. Raises `OSError` if the file cannot be read.
    """
    try:
        notebook = json.loads(path.read_bytes())
        fingerprint = notebook["metadata"][KEY][FINGERPRINT]
        has_run = any(cell.get("outputs") or cell.get("execution_count") for cell in notebook["cells"])
        return bool(has_run or fingerprint != _fingerprint(notebook["cells"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return True


def begun_notebooks(folder: Path) -> list[str]:
    """Return the numbers of notebooks that the learner has changed or run.

    A number is a string such as `03`. The list is empty if `folder` does not exist.
    """
    found = []
    for path in sorted(folder.glob(PATTERN)):
        try:
            if is_begun(path):
                found.append(path.name[:2])
        except OSError:
            continue
    return found


def _prepare(folder: Path, notebooks_folder: Path) -> None:
    """Create the folder for a learner's notebooks, if it does not exist.

    Inside the repository, the folder gets a .gitignore file, so that git ignores the folder. Raises `WorkingCopyError`
    if `folder` is a file, is in `notebooks_folder`, or is a folder inside the repository that has other files.
    """
    if folder.exists() and not folder.is_dir():
        raise WorkingCopyError(f"{folder} is a file, not a folder")
    notebooks_folder, real = notebooks_folder.resolve(), folder.resolve()
    is_in_repository = real.is_relative_to(notebooks_folder.parent)
    if is_in_repository and (real.is_relative_to(notebooks_folder) or not _is_new_or_ours(folder)):
        raise WorkingCopyError(f"{folder} is a part of the repository: choose a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    if is_in_repository:
        write(folder / IGNORE_FILE, IGNORE_ALL)


def _is_new_or_ours(folder: Path) -> bool:
    """Whether `folder` is missing, empty, or has a learner's notebooks.

    The `.gitignore` file that `_prepare` writes shows that a folder has a learner's notebooks.
    """
    if not folder.exists() or not any(folder.iterdir()):
        return True
    ignore = folder / IGNORE_FILE
    return ignore.is_file() and ignore.read_bytes() == IGNORE_ALL


def _fresh(notebook: Notebook) -> bytes:
    """Return a new copy of a notebook, as bytes of a file.

    The copy has no outputs. Its metadata has a hash of the cells, with which `is_begun` finds changes.
    """
    copy = notebook.read()
    copy.metadata[KEY] = {FINGERPRINT: _fingerprint(copy.cells)}
    text: str = nbformat.writes(copy)  # type: ignore[no-untyped-call]
    return (text.rstrip("\n") + "\n").encode()


def _fingerprint(cells: Iterable[Any]) -> str:
    """Return a hash of the types and sources of all notebook cells."""
    # in a file, a source may be a list of lines
    content = [[cell["cell_type"], "".join(cell["source"])] for cell in cells]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
