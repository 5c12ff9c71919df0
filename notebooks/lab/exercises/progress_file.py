"""Stores a learner's progress in a file in the user's state folder."""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from lab.system.atomic_file import write

FOLDER = "rooms-not-ids"


class ProgressFileError(Exception):
    """The file with the learner's progress cannot be read or written.

    A one-line message says why.
    """


class Progress(BaseModel):
    """A learner's progress: exercises passed, hints shown, and copies of notebooks.

    `passed` maps an exercise (`01` to `10`) to the day of its first pass. `hints` maps an exercise to the number of its
    hints that were shown. The learner works in copies of the notebooks. `copies` are the folders of these copies, the
    newest at the end.
    """

    model_config = ConfigDict(extra="forbid")

    passed: dict[str, date] = {}
    hints: dict[str, int] = {}
    copies: list[str] = []


def progress_path() -> Path:
    """Return the path of the file with the learner's progress.

    The file may not exist.
    """
    return platformdirs.user_state_path(FOLDER) / "progress.json"


def load() -> Progress:
    """Read the learner's progress from its file; raises `ProgressFileError`.

    If there is no file, the returned progress is empty.
    """
    path = progress_path()
    try:
        return Progress.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Progress()
    except ValidationError:
        raise ProgressFileError(f"{path} is not a record of progress; lab progress --reset begins a new one") from None
    except OSError as error:
        raise ProgressFileError(f"cannot read {path}: {error.strerror}") from None


def save(progress: Progress) -> None:
    """Write the progress file; raises `ProgressFileError`."""
    path = progress_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, progress.model_dump_json(indent=2).encode())
    except OSError as error:
        raise ProgressFileError(f"cannot write {path}: {os.strerror(error.errno or 0)}") from None


def record_pass(exercise: str) -> None:
    """Record that an exercise was passed today.

    If it was passed before, nothing changes.
    """
    progress = load()
    progress.passed.setdefault(exercise, datetime.now(UTC).date())
    save(progress)


def record_hint(exercise: str) -> int:
    """Record that one more hint of an exercise is shown.

    Returns how many of its hints were shown before.
    """
    progress = load()
    before = progress.hints.get(exercise, 0)
    progress.hints[exercise] = before + 1
    save(progress)
    return before


def record_copy(folder: Path) -> None:
    """Record `folder` as the newest folder with copies of the notebooks."""
    progress = load()
    progress.copies = [*(copy for copy in progress.copies if copy != str(folder)), str(folder)]
    save(progress)


def reset() -> None:
    """Delete the progress file; raises `ProgressFileError`."""
    path = progress_path()
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ProgressFileError(f"cannot remove {path}: {error.strerror}") from None
