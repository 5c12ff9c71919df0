"""Stores the progress of `lab quiz` in the user's state folder.

`lab quiz` asks job interview questions. For each question that was answered, the file has its level (its Leitner box,
1 to 5) and the day on which the question is asked again.
"""

import os
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from lab.interview.leitner import Card, move
from lab.system.atomic_file import write
from lab.system.state_folder import state_file


class QuizFileError(Exception):
    """The file with the quiz's progress cannot be read or written.

    A one-line message says why.
    """


class QuizRecord(BaseModel):
    """The user's progress in the quiz: a card for each answered question.

    A card has the question's level (its Leitner box, 1 to 5) and the day on which the question is asked again. `cards`
    maps question ids to cards.
    """

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    cards: dict[str, Card] = {}


def quiz_path() -> Path:
    """Return the path of the file with the progress in the quiz.

    The file may not exist.
    """
    return state_file("quiz.json")


def load() -> QuizRecord:
    """Read the user's progress in the quiz from its file.

    If there is no file, the result is empty. Raises `QuizFileError` if the file cannot be read or is not valid.
    """
    path = quiz_path()
    try:
        return QuizRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return QuizRecord()
    except ValidationError:
        raise QuizFileError(f"{path} is not a record of the quiz; lab quiz --reset begins a new one") from None
    except OSError as error:
        raise QuizFileError(f"cannot read {path}: {error.strerror}") from None


def record_answer(question_id: str, *, known: bool, today: date) -> QuizRecord:
    """Record whether the user knew the answer to a question.

    Moves the question to its new level (its Leitner box, 1 to 5), writes the progress to its file, and returns the
    progress. The file is read again first, so that the answers given in another running quiz are kept. Raises
    `QuizFileError` if the file cannot be read or written.
    """
    path, record = quiz_path(), load()
    record.cards[question_id] = move(record.cards.get(question_id), known=known, today=today)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, record.model_dump_json(indent=2).encode())
    except OSError as error:
        raise QuizFileError(f"cannot write {path}: {os.strerror(error.errno or 0)}") from None
    return record


def reset() -> None:
    """Delete the file that has the user's progress in the quiz.

    Raises `QuizFileError` if that fails.
    """
    path = quiz_path()
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise QuizFileError(f"cannot remove {path}: {error.strerror}") from None
