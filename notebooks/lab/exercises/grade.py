"""Grades a learner's answer with the scenario of the lesson.

The answer passes if its measured value meets the good server's bound.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab.compare.one_run import run_once
from lab.exercises import progress_file, server
from lab.exercises.class_source import source_of_class
from lab.exercises.tasks import Exercise, SecondCheck, load_exercise
from lab.results.claims import Claim, load_claims
from lab.results.run import Run
from lab.results.wording import number as in_digits
from lab.scenarios.catalogue import load_scenarios

APP = "lab.exercises.server:create_app"
DID_NOT_START = "did not start: "
# the key of the raised exceptions in a run's details
RAISED = "raised"


@dataclass(frozen=True)
class Grade:
    """The grade of an answer: whether it passed, its run, a message."""

    passed: bool
    run: Run
    message: str

    def __str__(self) -> str:
        return self.message

    __repr__ = __str__


async def grade(number: int, answer: type[Any] | str) -> Grade:
    """Measure an answer to an exercise; if it passes, record that.

    `answer` is a class `Handlers` or its source code. Raises `AnswerError` if it cannot be run at all.
    """
    exercise = load_exercise(number)
    source = answer if isinstance(answer, str) else source_of_class(answer)
    server.load_handlers(source, number)
    claims = load_claims()
    claim = claims[number - 1]
    run = await _measure(claim, number, source, exercise.parameters)
    fault = _fault(claim, exercise, run)
    if fault is None and (check := exercise.second_check) is not None:
        other = claims[check.claim - 1]
        fault = _second_fault(other, check, await _measure(other, number, source, check.parameters))
    if fault is not None:
        return Grade(False, run, f"Not yet. {fault}{_raised(run)}")
    message = f"Passed. {_measured(claim, run)}. One more way to write it: lab solution {claim.id}"
    return Grade(True, run, message + _recorded(claim.id))


async def _measure(claim: Claim, number: int, source: str, parameters: Mapping[str, Any]) -> Run:
    scenario = load_scenarios()[claim.id]
    with tempfile.TemporaryDirectory(prefix="lab-exercise-") as folder:
        file = Path(folder) / "answer.py"
        file.write_text(source, encoding="utf-8")
        settings = {**scenario.settings, server.NUMBER_VARIABLE: str(number), server.FILE_VARIABLE: str(file)}
        # a single process, which makes the reports itself
        adapted = replace(scenario, settings=settings, makes_reports=False)
        run = await run_once(claim, adapted, APP, **parameters)
        faults = file.with_suffix(server.FAULTS)
        raised = faults.read_text(encoding="utf-8").splitlines() if faults.exists() else []
    return replace(run, details={**run.details, RAISED: raised})


def _measured(claim: Claim, run: Run) -> str:
    return f"{claim.metric}: {in_digits(run.value)} {claim.unit}, wanted {claim.wanted('good')}"


def _fault(claim: Claim, exercise: Exercise, run: Run) -> str | None:
    """Describe why an answer fails; return None if it does not fail.

    The description has the measured numbers, followed by a question that points at the cause.
    """
    if run.broken is not None and DID_NOT_START in run.broken:
        return f"The server did not start with it: {run.broken.partition(DID_NOT_START)[2]}."
    if run.broken is not None:
        return f"It broke what worked before: {run.broken}."
    if not claim.holds("good", run.value):
        question = next(
            (remark.text for remark in exercise.remarks if remark.at_least <= run.value <= remark.at_most), ""
        )
        return f"{_measured(claim, run)}. {question}".strip()
    for demand in exercise.demands:
        if (value := run.also[demand.key]) > demand.at_most:
            also = next(also for also in claim.also if also.key == demand.key)
            return f"{_measured(claim, run)}; but {also.metric}: {in_digits(value)} {also.unit}. {demand.text}"
    return None


def _second_fault(claim: Claim, check: SecondCheck, run: Run) -> str | None:
    if run.broken is None and claim.holds("good", run.value):
        return None
    return f"{run.broken or _measured(claim, run)}. {check.text}"


def _raised(run: Run) -> str:
    """Describe the exceptions that the answer's code raised on the server.

    The clients of the scenario do not see these exceptions.
    """
    raised: list[str] = run.details[RAISED]
    return f" Your code raised {len(raised)} exceptions, first {raised[0]}." if raised else ""


def _recorded(exercise: str) -> str:
    """Record that an exercise is passed.

    Returns a note for the learner if the record cannot be written, otherwise an empty text.
    """
    try:
        progress_file.record_pass(exercise)
    except progress_file.ProgressFileError as error:
        return f" (not recorded: {error})"
    return ""
