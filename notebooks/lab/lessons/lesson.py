"""Answers for what a lesson's cells ask for: measure a side, look at the numbers, compare, judge, turn a knob.

What is asked for shows itself below the cell; only measurements are returned.
"""

import asyncio
import multiprocessing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.compare.one_run import run_once
from lab.lessons.cell_output import Markdown, ProgressLine, draw, show_output, table
from lab.results.claims import SIDES, Also, Claim, Runs, Side, load_claims
from lab.results.run import Run, is_late
from lab.results.statistics import slope
from lab.results.verdict import judge
from lab.results.wording import OUTCOMES, finding, number
from lab.scenarios.catalogue import load_scenarios
from lab.scenarios.scenario import Scenario

TRIES = 2
# runs of a sweep at once: they are small, count and mostly wait
AT_ONCE = 6


class LessonError(Exception):
    """A measurement did not come about; the message is one line that says why."""


@dataclass(frozen=True)
class Sweep:
    """The same experiment on both sides, at several values of one parameter."""

    parameter: str
    values: Sequence[float]
    runs: Mapping[Side, Sequence[Run]]

    def of(self, side: Side, key: str | None = None) -> list[float]:
        """What was measured on a side, by value: the primary metric, or the secondary one `key`."""
        return [run.value if key is None else run.also[key] for run in self.runs[side]]


class Lesson:
    """One claim with its scenario, as its notebook uses them."""

    def __init__(self, claim: Claim, scenario: Scenario) -> None:
        self.claim = claim
        self._scenario = scenario

    def __repr__(self) -> str:
        return f"lesson {self.claim.id}: {self.claim.title}"

    async def measure(self, side: Side, **parameters: Any) -> Run:
        """Runs the scenario on a fresh server; its parameters may be given. Raises `LessonError`."""
        chosen = "".join(f", {name} = {value}" for name, value in parameters.items())
        async with ProgressLine().ticking(f"the {side} server{chosen}"):
            return await self._run(side, parameters)

    async def sweep(self, parameter: str, values: Sequence[float], **fixed: Any) -> Sweep:
        """Measures both sides at each of `values` of one of the scenario's parameters, the others as in `fixed`."""
        seats, line, done = asyncio.Semaphore(1 if self._scenario.runs_alone else AT_ONCE), ProgressLine(), 0

        async def one(side: Side, value: float) -> Run:
            nonlocal done
            async with seats:
                run = await self._run(side, {**fixed, parameter: value})
            done += 1
            line.bar(done, 2 * len(values), f"runs with other {parameter.replace('_', ' ')}")
            return run

        runs = await asyncio.gather(*(one(side, value) for side in SIDES for value in values))
        return Sweep(parameter, values, {"bad": runs[: len(values)], "good": runs[len(values) :]})

    async def _run(self, side: Side, parameters: Mapping[str, Any]) -> Run:
        """Again where a run does not count, or the clients were too late to measure time."""
        for seed in range(7, 7 + TRIES):
            run = await run_once(self.claim, self._scenario, side, **{"seed": seed, **parameters})
            if run.broken is None and not (self.claim.timed and is_late(run)):
                break
        if run.broken is not None:
            raise LessonError(f"the {side} server's run does not count: {run.broken}")
        return run

    def numbers(self, **runs: Run) -> None:
        """A table of all that was measured: `numbers(bad=bad)` or `numbers(bad=bad, good=good)`."""
        rows = [[f"**{self.claim.metric}**", *(number(run.value) for run in runs.values()), self.claim.unit]]
        for also in self.claim.also:
            values = _also_values(also, runs)
            if values:
                rows.append([also.metric, *map(number, values), also.unit])
        table(["measured", *runs, "unit"], *rows)

    def one_side(self, side: Side, run: Run, *, guess: float | None = None) -> None:
        """The primary metric of one side, on the axis that `side_by_side` has."""
        self._bars({side: [run]}, guess)

    def side_by_side(self, bad: Run, good: Run, *, guess: float | None = None) -> None:
        """Both sides on one axis, with their bounds; `guess` is what the reader thought of the bad one."""
        self._bars({"bad": [bad], "good": [good]}, guess)

    def _bars(self, runs: Runs, guess: float | None) -> None:
        from lab.figures.bars import side_by_side

        draw(side_by_side(self.claim, runs, guess=guess))

    def verdict(self, bad: Run, good: Run) -> None:
        """What the bounds in claims.toml say of these two runs."""
        runs: dict[Side, list[Run]] = {"bad": [bad], "good": [good]}
        told = OUTCOMES[judge(self.claim, runs).outcome]
        show_output(Markdown(f"**Claim {self.claim.id}: {told}.** {finding(self.claim, runs)}"))
        rows = [[side, number(runs[side][0].value), self.claim.wanted(side)] for side in SIDES]
        table(["server", f"{self.claim.metric} ({self.claim.unit})", "claimed"], *rows)
        show_output(Markdown(f"Why these bounds: {self.claim.reason}"))

    def growth(self, sweep: Sweep, *, title: str, each: str, of: str | None = None) -> None:
        """How both sides grow with the parameter; `{bad}` and `{good}` in `title` are the slopes, for each `each`."""
        from lab.figures.charts import growth

        secondary = next((also for also in self.claim.also if also.key == of), None)
        metric, unit = (secondary.metric, secondary.unit) if secondary else (self.claim.metric, self.claim.unit)
        slopes = {side: number(slope(sweep.values, sweep.of(side, of))) for side in SIDES}
        figure = growth(
            [(side, sweep.values, sweep.of(side, of)) for side in SIDES],
            title=title.format(**slopes),
            x_label=sweep.parameter.replace("_", " "),
            y_label=f"{metric} ({unit})",
            each=f"{unit} for each {each}",
        )
        draw(figure)

    def check(self, bad: Run, good: Run) -> None:
        """Asserts that the claim is shown, and that no server is left running."""
        judged = judge(self.claim, {"bad": [bad], "good": [good]})
        assert judged.outcome == "shown", judged.reason
        running = multiprocessing.active_children()
        assert not running, f"left running: {running}"
        show_output(Markdown(f"Claim {self.claim.id} is shown, and no server is left running."))


def _also_values(also: Also, runs: Mapping[str, Run]) -> list[float]:
    """By side; none where nobody measured it, or where it is told as a multiple of a side that is not there."""
    values = {side: run.also[also.key] for side, run in runs.items() if also.key in run.also}
    if not also.relative or not values:
        return list(values.values())
    return [value / values["good"] for value in values.values()] if values.get("good") else []


def lesson(number: int) -> Lesson:
    """The lesson with this number, 1 to 10; raises `LessonError`."""
    claims = {claim.number: claim for claim in load_claims()}
    if number not in claims:
        raise LessonError(f"there is no lesson {number}; there are 1 to {len(claims)}")
    return Lesson(claims[number], load_scenarios()[claims[number].id])
