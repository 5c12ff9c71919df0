"""Keeps the last numbers that the lab measured on this machine.

The answers to job interview questions quote these numbers. `lab compare` and the notebook with the questions write them
to a file in the user's state folder. `lab quiz`, which asks the questions, reads this file.
"""

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from lab.interview.machine_facts import machine_facts
from lab.interview.quotations import FACT, LIVE, Numbers, claim_texts
from lab.system.atomic_file import write
from lab.system.state_folder import state_file

# `lab quiz` starts faster without the modules that measure
if TYPE_CHECKING:
    from lab.compare.comparison import Comparison


class LastNumbersError(Exception):
    """The numbers of the last measurements cannot be read or written.

    A one-line message says why.
    """


class _Also(BaseModel):
    key: str
    bad: float | None
    good: float | None


class _Claim(BaseModel):
    """The measured numbers of one claim about the bad and good server.

    `bad` and `good` are the measured values of the claim's metric. All fields except `measured_on` are also in the
    output of `lab compare --json`.
    """

    id: str
    metric: str
    bad: float
    good: float
    verdict: str
    also: list[_Also]
    measured_on: date


class LastNumbers(BaseModel):
    """The last measured numbers, and the last answers of a good server.

    `claims` maps the id of each claim about the bad and good server to the numbers measured for it. `asked` maps keys
    to the answers that a running good server gave to small requests. `asked_on` is the day of these answers.
    """

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    claims: dict[str, _Claim] = {}
    asked: dict[str, str] = {}
    asked_on: date | None = None

    def add_comparison(self, comparison: "Comparison", *, today: date) -> None:
        """Replace the numbers of the claims that `comparison` measured.

        `today` is stored as the day of the measurement. A claim about the bad and good server keeps its old numbers if
        `comparison` has no valid value for one of the servers.
        """
        from lab.report.json_document import as_json

        rows: list[dict[str, Any]] = orjson.loads(as_json(comparison))["claims"]
        measured = [row for row in rows if None not in (row["bad"], row["good"])]
        self.claims |= {row["id"]: _Claim.model_validate({**row, "measured_on": today}) for row in measured}

    def add_live_answers(self, answers: Mapping[str, str], *, today: date) -> None:
        """Replace the recorded answers of a good server to small requests.

        `answers` maps a key to an answer. `today` is stored as the day on which the answers were collected.
        """
        self.asked, self.asked_on = dict(answers), today

    def numbers(self) -> Numbers:
        """Return all numbers that the answers to interview questions can quote.

        They include defaults of the library python-engineio, and limits of this machine.
        """
        texts = claim_texts(claim.model_dump() for claim in self.claims.values())
        days = {id: claim.measured_on for id, claim in self.claims.items()}
        if self.asked_on is not None:
            days[LIVE] = self.asked_on
        return Numbers(
            texts=texts
            | {f"{LIVE}.{key}": text for key, text in self.asked.items()}
            | {f"{FACT}.{key}": text for key, text in machine_facts().items()},
            days=days,
            not_shown=frozenset(id for id, claim in self.claims.items() if claim.verdict != "shown"),
        )


def last_numbers_path() -> Path:
    """Return the path of the file with the last measured numbers.

    The file may not exist.
    """
    return state_file("last-numbers.json")


def load() -> LastNumbers:
    """Read the numbers of the last measurements from their file.

    If there is no file, the result has no numbers. Raises `LastNumbersError` if the file cannot be read or is not
    valid.
    """
    path = last_numbers_path()
    try:
        return LastNumbers.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return LastNumbers()
    except ValidationError:
        raise LastNumbersError(f"{path} has no valid numbers; the next lab compare writes it anew") from None
    except OSError as error:
        raise LastNumbersError(f"cannot read {path}: {error.strerror}") from None


def record_comparison(comparison: "Comparison", *, today: date) -> None:
    """Record the numbers of `comparison` in the file of last numbers.

    Claims that `comparison` did not measure keep their numbers. A comparison of servers with several processes is not
    recorded, because interview answers quote numbers of one process. Raises `LastNumbersError` if the file cannot be
    written.
    """
    if comparison.workers > 1:
        return
    last = _load_or_begin()
    last.add_comparison(comparison, today=today)
    save(last)


def _load_or_begin() -> LastNumbers:
    try:
        return load()
    except LastNumbersError:
        # numbers can be measured again, so a broken file is simply replaced
        return LastNumbers()


def save(last: LastNumbers) -> None:
    """Write the last measured numbers to their file.

    Raises `LastNumbersError` if the file cannot be written.
    """
    path = last_numbers_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, last.model_dump_json(indent=2).encode())
    except OSError as error:
        raise LastNumbersError(f"cannot write {path}: {os.strerror(error.errno or 0)}") from None
