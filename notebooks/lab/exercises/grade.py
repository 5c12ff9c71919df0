"""Grades a learner's answer.

The answer passes if its measured value is in the range that is required of the good server, and if the conformance
suite (checks of what else the server must do) finds no fault: an answer may fix a mistake, but break something else.
"""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.exercises import answer_errors, conformance, progress_file
from lab.exercises.answer_errors import Fault
from lab.exercises.class_source import source_of_class
from lab.exercises.tasks import Exercise, SecondCheck, load_exercise
from lab.exercises.trial import Answer, AnswerEndedError, check_loads, conform, measure, trial
from lab.results.claims import Claim, load_claims
from lab.results.run import Run
from lab.results.wording import number as in_digits

DID_NOT_START = "did not start: "
# an answer is graded within a minute, with all its servers stopped
GRADE_SECONDS = 52.0
# a run that could decide otherwise is repeated up to this number of runs
RUNS = 3
# a count that misses its bound by this part of the scale may be bad luck, such as one lost connection
NEAR_MISS = 0.05
# these are faults also where the clients notice nothing
REFUSED_FAULTS = ("unawaited", "blocked")
NO_REDIS = " The checks with two processes were left out: redis-server is not installed."


@dataclass(frozen=True)
class Grade:
    """The result of grading an answer.

    `run` is what was measured, and `message` is the text for the learner. After a pass, `discussion` explains the
    exercise, as Markdown.
    """

    passed: bool
    run: Run
    message: str
    discussion: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.message

    __repr__ = __str__


async def grade(number: int, answer: type[Any] | str) -> Grade:
    """Grade a learner's answer to an exercise, and record a pass.

    `answer` is a class `Handlers` or its source code. Raises `AnswerError` if the answer cannot be run at all.
    """
    exercise = load_exercise(number)
    source = answer if isinstance(answer, str) else source_of_class(answer)
    async with trial(number, source) as files:
        grading = _Grading(files, exercise)
        try:
            async with asyncio.timeout(GRADE_SECONDS):
                reason = await grading.reason_to_refuse()
        except AnswerEndedError as error:
            reason = str(error)
        except TimeoutError:
            reason = grading.reason_in_time()
    if reason is not None:
        return Grade(False, grading.run, f"Not yet. {reason}")
    claim = grading.claim
    message = (
        f"Passed. {_measured(claim, grading.run)}.{grading.remark} One more way to write it: lab solution {claim.id}"
    )
    return Grade(True, grading.run, message + _recorded(claim.id), exercise.discussion.strip())


class _Grading:
    """Grades a learner's answer: by a measurement, then by conformance checks. These find what the answer breaks."""

    def __init__(self, answer: Answer, exercise: Exercise) -> None:
        self.answer = answer
        self.exercise = exercise
        self.claim = load_claims()[answer.number - 1]
        self.run = Run(float("nan"), broken="it was not measured")
        self.remark = ""
        self._lateness = ""
        # why a measured time was not accepted, if it may be the machine's fault
        self._timed_reason = ""
        # what the suite has found so far
        self._found: list[str] = []

    async def reason_to_refuse(self) -> str | None:
        """Return why the learner's answer fails, or None when it passes."""
        await check_loads(self.answer)
        reason = await self._reason_by_measure()
        if reason is None:
            reason = await self._reason_by_suite(workers=1)
        if reason is None and conformance.needs_two_processes(self.answer.number):
            if shutil.which("redis-server") is None:
                self.remark += NO_REDIS
            else:
                reason = await self._reason_by_suite(workers=2)
        return reason

    def reason_in_time(self) -> str:
        """Return why the answer fails, after grading has reached its time limit.

        The reason is the first fault that was found so far. If there is none, the reason says that grading took too
        long.
        """
        late = f"It was not finished within {GRADE_SECONDS:.0f} s. Is this machine busy? Then try again."
        return next(iter(self._found), self._cause() or late)

    async def _reason_by_measure(self) -> str | None:
        reason = await self._voted(self.claim, self.exercise.parameters, _fault_of(self.claim, self.exercise))
        if reason is None and (check := self.exercise.second_check) is not None:
            other, first = load_claims()[check.claim - 1], self.run
            reason = await self._voted(other, check.parameters, _second_fault_of(other, check))
            self.run = first if reason is None else self.run
        if reason is None:
            return None
        if self._is_timed_in_vain():
            # the suite counts CPU time, which a busy machine does not change
            self.remark = " Times are worthless on this busy machine, so CPU time decided."
            self._timed_reason = reason
            return None
        raised = answer_errors.raised(self.answer.faults, self.answer.source)
        if cause := self._cause():
            return f"{cause} Measured: {reason}{raised}"
        return f"{reason}{raised}{self._lateness}"

    def _is_timed_in_vain(self) -> bool:
        """Whether measured times are worthless, because the server waited for a CPU."""
        return self.claim.timed and answer_errors.is_starved(self.answer.faults)

    def _cause(self) -> str:
        return answer_errors.cause(self.answer.faults, self.answer.source)

    async def _voted(self, claim: Claim, parameters: Any, fault_of: Callable[[Run], str | None]) -> str | None:
        """Measure the learner's answer, and return why it fails, or None.

        `claim` and `parameters` say what is measured, and how. `fault_of` returns why one measurement fails, or None if
        it passes. When the result is in doubt, two of three measurements decide.
        """
        passed: list[Run] = []
        failed: list[tuple[Run, str]] = []
        while True:
            self.run = run = await measure(self.answer, claim, parameters)
            reason = fault_of(run)
            is_clear = bool(self._cause()) or self._is_timed_in_vain()
            is_clear = is_clear or not (passed or failed or _is_in_doubt(claim, run, reason))
            if reason is None:
                passed.append(run)
            else:
                failed.append((run, reason))
            if len(passed) > RUNS // 2 or (is_clear and passed):
                return None
            if len(failed) > RUNS // 2 or (is_clear and failed):
                self._note_lateness(claim, [run for run, _ in failed])
                return failed[0][1]

    def _note_lateness(self, claim: Claim, failed: Sequence[Run]) -> None:
        """Tell the learner if slow clients possibly caused all failures. `failed` are the failed measurements."""
        if all(claim.is_spoilt(run) for run in failed):
            worst = max(run.lateness_seconds for run in failed)
            self._lateness = f" But the clients were {worst:.1f} s late: on an idle machine it may pass."

    async def _reason_by_suite(self, *, workers: int) -> str | None:
        """Run the conformance suite, and return why the answer fails, or None.

        The suite checks a server of `workers` processes. When its first run finds a fault, two of three runs decide.
        """
        found = self._found = []
        for tries in range(1, RUNS + 1):
            before = len(self.answer.faults)
            finding = await conform(self.answer, workers=workers)
            new = self.answer.faults[before:]
            reason = self._suite_reason(finding, new, workers)
            if reason is not None:
                found.append(reason)
            if (reason is None and not found) or tries - len(found) > RUNS // 2:
                return None
            if len(found) > RUNS // 2:
                return found[0]
        return None

    def _suite_reason(self, finding: str | None, faults: Sequence[Fault], workers: int) -> str | None:
        cause = answer_errors.cause(faults, self.answer.source)
        if finding is None and not any(fault.kind in REFUSED_FAULTS for fault in faults):
            return None
        measured = f"The measure of the lesson is met ({_measured(self.claim, self.run)}), but the answer fails another"
        if self._timed_reason:
            measured = f"{self._timed_reason} The answer also fails a"
        where = " with two processes" if workers > 1 else ""
        seen = f" {finding}." if finding is not None else ""
        return f"{measured} check{where}:{seen} {cause}".rstrip()


def _is_in_doubt(claim: Claim, run: Run, reason: str | None) -> bool:
    """Whether another measurement could lead to a different result.

    `run` is one measurement, and `reason` is why it fails, or None if it passes. A passed measurement can be in doubt
    only if it measured a time, because times vary. A failed measurement is in doubt if it measured a time, if it ended
    with an error (`run.broken`), or if its value only just misses the range that `claim` requires.
    """
    distance, scale = abs(run.value - claim.bound("good")), abs(claim.worst - claim.best)
    if reason is None:
        return claim.timed and claim.is_doubtful("good", run)
    return claim.timed or distance <= NEAR_MISS * scale or run.broken is not None or claim.is_spoilt(run)


def _measured(claim: Claim, run: Run) -> str:
    return f"{claim.metric}: {in_digits(run.value)} {claim.unit}, wanted {claim.wanted('good')}"


def _fault_of(claim: Claim, exercise: Exercise) -> Callable[[Run], str | None]:
    """Return a function that says why one measurement fails.

    The function returns None if a measurement passes, or else its numbers and a question that points at the cause.
    """

    def fault_of(run: Run) -> str | None:
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

    return fault_of


def _second_fault_of(claim: Claim, check: SecondCheck) -> Callable[[Run], str | None]:
    def fault_of(run: Run) -> str | None:
        if run.broken is None and claim.holds("good", run.value):
            return None
        return f"{run.broken or _measured(claim, run)}. {check.text}"

    return fault_of


def _recorded(exercise: str) -> str:
    """Record that an exercise is passed.

    Returns a note for the learner if the record cannot be written, otherwise an empty string.
    """
    try:
        progress_file.record_pass(exercise)
    except progress_file.ProgressFileError as error:
        return f" (not recorded: {error})"
    return ""
