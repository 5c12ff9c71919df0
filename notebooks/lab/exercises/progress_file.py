"""Progress file: what a learner has done so far, in the user's state folder, never in the repository."""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from lab.system.atomic_file import write

FOLDER = "rooms-not-ids"


class ProgressFileError(Exception):
    """The file cannot be read or written; the message is one line that says which and why."""


class Progress(BaseModel):
    """By exercise, `01` to `10`: when it was passed, and how many of its hints were taken."""

    model_config = ConfigDict(extra="forbid")

    passed: dict[str, date] = {}
    hints: dict[str, int] = {}


def progress_path() -> Path:
    """The file; it need not exist."""
    return platformdirs.user_state_path(FOLDER) / "progress.json"


def load() -> Progress:
    """What is recorded, nothing where there is no file; raises `ProgressFileError`."""
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
    """Raises `ProgressFileError`."""
    path = progress_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, progress.model_dump_json(indent=2).encode())
    except OSError as error:
        raise ProgressFileError(f"cannot write {path}: {os.strerror(error.errno or 0)}") from None


def record_pass(exercise: str) -> None:
    """The first time counts."""
    progress = load()
    progress.passed.setdefault(exercise, datetime.now(UTC).date())
    save(progress)


def record_hint(exercise: str) -> int:
    """Takes one more hint; returns how many were taken before."""
    progress = load()
    before = progress.hints.get(exercise, 0)
    progress.hints[exercise] = before + 1
    save(progress)
    return before


def reset() -> None:
    """Forgets everything; raises `ProgressFileError`."""
    path = progress_path()
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ProgressFileError(f"cannot remove {path}: {error.strerror}") from None
