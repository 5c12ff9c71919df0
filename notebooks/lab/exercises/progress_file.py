"""Answers for what a learner has done so far: one small file in the user's state folder, never in the repository."""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from lab.system.atomic_file import write

FOLDER = "rooms-not-ids"


class RecordError(Exception):
    """The file cannot be read or written; the message is one line that says which and why."""


class Record(BaseModel):
    """By exercise, `01` to `10`: when it was passed, and how many of its hints were taken."""

    model_config = ConfigDict(extra="forbid")

    passed: dict[str, date] = {}
    hints: dict[str, int] = {}


def where() -> Path:
    """The file; it need not exist."""
    return platformdirs.user_state_path(FOLDER) / "progress.json"


def load() -> Record:
    """What is recorded, nothing where there is no file; raises `RecordError`."""
    path = where()
    try:
        return Record.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Record()
    except ValidationError:
        raise RecordError(f"{path} is not a record of progress; lab progress --reset begins a new one") from None
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror}") from None


def save(record: Record) -> None:
    """Raises `RecordError`."""
    path = where()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, record.model_dump_json(indent=2).encode())
    except OSError as error:
        raise RecordError(f"cannot write {path}: {os.strerror(error.errno or 0)}") from None


def note_passed(exercise: str) -> None:
    """The first time counts."""
    record = load()
    record.passed.setdefault(exercise, datetime.now(UTC).date())
    save(record)


def note_hint(exercise: str) -> int:
    """Takes one more hint; returns how many were taken before."""
    record = load()
    before = record.hints.get(exercise, 0)
    record.hints[exercise] = before + 1
    save(record)
    return before


def reset() -> None:
    """Forgets everything; raises `RecordError`."""
    path = where()
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise RecordError(f"cannot remove {path}: {error.strerror}") from None
