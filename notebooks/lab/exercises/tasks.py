"""Exercises as they stand in their files: what is given, asked, hinted and right."""

import tomllib
from importlib import resources

from pydantic import BaseModel, ConfigDict

from lab.results.claims import load_claims


class AnswerError(Exception):
    """An answer cannot be run; the message is one line that says why."""


class Decoy(BaseModel):
    """A plausible wrong answer, and a word that its grade has to say of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    idea: str
    code: str
    told: str


class Remark(BaseModel):
    """What to ask a learner whose run measured so; the first whose bounds fit is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_least: float = float("-inf")
    at_most: float = float("inf")
    text: str


class Demand(BaseModel):
    """A secondary metric that has to be right as well, and what to ask where it is not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    at_most: float
    text: str


class Further(BaseModel):
    """Another lesson's scenario that the answer has to pass too, so that one mistake is not mended by another."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    claim: int
    parameters: dict[str, int | float]
    text: str


class Exercise(BaseModel):
    """What is given, what is asked, what helps, what is right, and what only looks so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # of the scenario, smaller than the lesson's where that still convicts
    parameters: dict[str, int | float] = {}
    remarks: tuple[Remark, ...]
    demands: tuple[Demand, ...] = ()
    further: Further | None = None
    hints: tuple[str, ...]
    given: str
    solution: str
    decoys: tuple[Decoy, ...]


def load_exercise(number: int) -> Exercise:
    """Raises `AnswerError` when there is no such exercise."""
    file = resources.files("lab.exercises") / f"{number:02}.toml"
    if not file.is_file():
        raise AnswerError(f"there is no exercise {number}; there are 1 to {len(load_claims())}")
    return Exercise.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
