"""Reads exercises from their TOML files."""

import tomllib
from importlib import resources

from pydantic import BaseModel, ConfigDict

from lab.results.claims import load_claims


class AnswerError(Exception):
    """A learner's answer cannot be run, or its exercise does not exist.

    A one-line message says why.
    """


class Decoy(BaseModel):
    """A wrong answer that looks right, used to test the grading.

    The grading has to refuse this answer, with a message that contains `expected_phrase`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    idea: str
    code: str
    # several, if the busy machine decides which of two measures refuses it first
    expected_phrase: str | tuple[str, ...]


class Remark(BaseModel):
    """A question for the learner, chosen by the answer's measured value.

    It is shown when the value is between `at_least` and `at_most`. If several remarks match, the first is shown.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_least: float = float("-inf")
    at_most: float = float("inf")
    text: str


class Demand(BaseModel):
    """An upper limit for a secondary metric of an answer.

    A secondary metric is measured beside the main metric of the lesson. `key` is the key of the secondary metric in
    claims.toml. If its value exceeds `at_most`, the answer fails, and the learner gets the question in `text`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    at_most: float
    text: str


class SecondCheck(BaseModel):
    """Another lesson's measurement that the answer has to pass too.

    The second measurement detects answers that replace one mistake with another. `claim` is the number of the other
    lesson. `parameters` are arguments for the measurement. If the answer fails, the learner gets `text`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    claim: int
    parameters: dict[str, int | float]
    text: str


class Exercise(BaseModel):
    """An exercise: the given code, checks, hints, solutions and wrong answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # parameters of the scenario, smaller than the lesson's if the mistake is still detected
    parameters: dict[str, int | float] = {}
    remarks: tuple[Remark, ...]
    demands: tuple[Demand, ...] = ()
    second_check: SecondCheck | None = None
    hints: tuple[str, ...]
    given: str
    solution: str
    # right answers that are written in another way
    other_solutions: tuple[str, ...] = ()
    decoys: tuple[Decoy, ...]
    # Markdown, shown after a pass: why the usual wrong answers fail, plain python-socketio, Node
    discussion: str = ""


def load_exercise(number: int) -> Exercise:
    """Read an exercise from its TOML file.

    Raises `AnswerError` if there is no exercise with this number.
    """
    file = resources.files("lab.exercises") / f"{number:02}.toml"
    if not file.is_file():
        raise AnswerError(f"there is no exercise {number}; there are 1 to {len(load_claims())}")
    return Exercise.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
