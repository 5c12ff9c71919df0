"""Answers for exercises: an answer on the lesson's own scenario, judged by the good server's bound, told in numbers."""

import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pydantic import BaseModel, ConfigDict

from lab import exercise_server, record
from lab.claims import Claim, load_claims
from lab.compare import load_scenarios, run_once
from lab.exercise_server import AnswerError
from lab.handed_in import source_of
from lab.measure import Run
from lab.words import number as in_digits

APP = "lab.exercise_server:create_app"
DID_NOT_START = "did not start: "
# the key of the exceptions among a run's details
RAISED = "raised"


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


@dataclass(frozen=True)
class Grade:
    """Whether an answer passed, what it measured, and what is told of it."""

    passed: bool
    run: Run
    told: str

    def __str__(self) -> str:
        return self.told

    __repr__ = __str__


def load_exercise(number: int) -> Exercise:
    """Raises `AnswerError` when there is no such exercise."""
    file = resources.files("lab") / "exercises" / f"{number:02}.toml"
    if not file.is_file():
        raise AnswerError(f"there is no exercise {number}; there are 1 to {len(load_claims())}")
    return Exercise.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))


async def grade(number: int, answer: type[Any] | str) -> Grade:
    """Runs an answer, a class `Handlers` or its source, and says how it did; a pass is recorded.

    Raises `AnswerError` when it cannot be run at all.
    """
    exercise = load_exercise(number)
    source = answer if isinstance(answer, str) else source_of(answer)
    exercise_server.handlers_in(source, number)
    claims = load_claims()
    claim = claims[number - 1]
    run = await _measure(claim, number, source, exercise.parameters)
    fault = _fault(claim, exercise, run)
    if fault is None and (further := exercise.further) is not None:
        other = claims[further.claim - 1]
        fault = _further_fault(other, further, await _measure(other, number, source, further.parameters))
    if fault is not None:
        return Grade(False, run, f"Not yet. {fault}{_raised(run)}")
    told = f"Passed. {_measured(claim, run)}. One more way to write it: lab solution {claim.id}"
    return Grade(True, run, told + _recorded(claim.id))


async def _measure(claim: Claim, number: int, source: str, parameters: Mapping[str, Any]) -> Run:
    scenario = load_scenarios()[claim.id]
    with tempfile.TemporaryDirectory(prefix="lab-exercise-") as folder:
        file = Path(folder) / "answer.py"
        file.write_text(source, encoding="utf-8")
        settings = {**scenario.SETTINGS, exercise_server.NUMBER: str(number), exercise_server.FILE: str(file)}
        # by one process, which makes its reports itself
        own: Any = SimpleNamespace(SETTINGS=settings, ALONE=scenario.ALONE, MAKES_REPORTS=False, run=scenario.run)
        run = await run_once(claim, own, APP, **parameters)
        faults = file.with_suffix(exercise_server.FAULTS)
        raised = faults.read_text(encoding="utf-8").splitlines() if faults.exists() else []
    return replace(run, details={**run.details, RAISED: raised})


def _measured(claim: Claim, run: Run) -> str:
    return f"{claim.metric}: {in_digits(run.value)} {claim.unit}, wanted {claim.wanted('good')}"


def _fault(claim: Claim, exercise: Exercise, run: Run) -> str | None:
    """What is wrong, in numbers, with a question that points at the cause; None when nothing is."""
    if run.broken is not None and DID_NOT_START in run.broken:
        return f"The server did not start with it: {run.broken.partition(DID_NOT_START)[2]}."
    if run.broken is not None:
        return f"It broke what worked before: {run.broken}."
    if not claim.holds("good", run.value):
        asked = next((remark.text for remark in exercise.remarks if remark.at_least <= run.value <= remark.at_most), "")
        return f"{_measured(claim, run)}. {asked}".strip()
    for demand in exercise.demands:
        if (value := run.also[demand.key]) > demand.at_most:
            also = next(also for also in claim.also if also.key == demand.key)
            return f"{_measured(claim, run)}; but {also.metric}: {in_digits(value)} {also.unit}. {demand.text}"
    return None


def _further_fault(claim: Claim, further: Further, run: Run) -> str | None:
    if run.broken is None and claim.holds("good", run.value):
        return None
    return f"{run.broken or _measured(claim, run)}. {further.text}"


def _raised(run: Run) -> str:
    """What the answer's own code raised, which the gateway keeps from its clients."""
    raised: list[str] = run.details[RAISED]
    return f" Your code raised {len(raised)} exceptions, first {raised[0]}." if raised else ""


def _recorded(exercise: str) -> str:
    """Records the pass; what to say when that is not possible."""
    try:
        record.note_passed(exercise)
    except record.RecordError as error:
        return f" (not recorded: {error})"
    return ""


def next_hint(number: int) -> str:
    """One hint more than last time, from vague to exact; the last one is repeated."""
    exercise = load_exercise(number)
    taken = record.note_hint(f"{number:02}")
    index = min(taken, len(exercise.hints) - 1)
    return f"hint {index + 1} of {len(exercise.hints)}: {exercise.hints[index]}"


def solution(number: int, *, anyway: bool = False) -> str:
    """One right answer, once the exercise was passed or when it is wanted anyway; raises `AnswerError` before."""
    exercise = load_exercise(number)
    if not anyway and f"{number:02}" not in record.load().passed:
        raise AnswerError(f"exercise {number:02} is not passed yet; lab solution {number:02} --anyway shows it anyway")
    return exercise.solution.strip()
