"""Measures the bad and good server for a lesson, and shows results.

Methods of `Lesson` show their results below the notebook cell. Only the methods that measure also return their results.
"""

import asyncio
import multiprocessing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.compare.one_run import run_once
from lab.lessons import background
from lab.lessons.cell_output import Markdown, ProgressLine, draw, show_output, table
from lab.results.claims import SIDES, Also, Claim, Side, load_claims
from lab.results.run import Run, is_late
from lab.results.verdict import judge
from lab.results.wording import OUTCOMES, finding, number
from lab.scenarios.catalogue import load_scenarios
from lab.scenarios.scenario import Scenario

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_TRIES = 2
# parallel runs of a sweep: they are small, they count things, and they mostly wait
PARALLEL_RUNS = 6


class LessonError(Exception):
    """The lesson does not exist, or its measurement failed.

    A one-line message says why.
    """


@dataclass(frozen=True)
class Sweep:
    """Measurements of both servers with several values of one parameter.

    `parameter` is the name of this parameter. `runs` maps a server to its measurements, one for each of `values`.
    """

    parameter: str
    values: Sequence[float]
    runs: Mapping[Side, Sequence[Run]]

    def of(self, side: Side, key: str | None = None) -> list[float]:
        """Return the numbers measured on one server, one per parameter value.

        They are the values of the secondary metric `key`, or of the primary metric if `key` is None.
        """
        return [run.value if key is None else run.also[key] for run in self.runs[side]]


class Lesson:
    """Runs the measurements of one lesson, and shows their results.

    The lesson's claim is a statement about the bad and the good server. The experiment (scenario) tests the claim.
    """

    def __init__(self, claim: Claim, scenario: Scenario) -> None:
        self.claim = claim
        self._scenario = scenario

    def __repr__(self) -> str:
        return f"lesson {self.claim.id}: {self.claim.title}"

    async def measure(self, side: Side, **parameters: Any) -> Run:
        """Run the lesson's experiment on a new bad or good server.

        `parameters` replace the defaults of the experiment. Raises `LessonError` if the measurement is not valid, for
        example because the server did not accept every message.
        """
        await background.end()
        chosen = "".join(f", {name} = {value}" for name, value in parameters.items())
        async with ProgressLine().show_elapsed(f"the {side} server{chosen}"):
            return await self._run(side, parameters)

    async def sweep(self, parameter: str, values: Sequence[float], **fixed: Any) -> Sweep:
        """Run the lesson's experiment on both servers for each of `values`.

        The experiment's parameter with the name `parameter` gets these values. `fixed` sets other parameters of the
        experiment. Returns all measurements.
        """
        await background.end()
        chosen = ", ".join(map(str, values))
        slots, line, done = asyncio.Semaphore(1 if self._scenario.runs_alone else PARALLEL_RUNS), ProgressLine(), 0

        async def measure_one(side: Side, value: float) -> Run:
            nonlocal done
            async with slots:
                run = await self._run(side, {**fixed, parameter: value})
            done += 1
            line.bar(done, 2 * len(values), f"runs, with {parameter} = {chosen}")
            return run

        runs = await asyncio.gather(*(measure_one(side, value) for side in SIDES for value in values))
        return Sweep(parameter, values, {"bad": runs[: len(values)], "good": runs[len(values) :]})

    async def _run(self, side: Side, parameters: Mapping[str, Any]) -> Run:
        """Run the lesson's experiment on a new server.

        The measurement is repeated once if it is not valid (for example, because the server did not accept every
        message), or if it measures times and the clients' event loop was too slow. Raises `LessonError` if the second
        measurement is not valid.
        """
        for seed in range(7, 7 + MOST_TRIES):
            run = await run_once(self.claim, self._scenario, side, **{"seed": seed, **parameters})
            if run.broken is None and not (self.claim.timed and is_late(run)):
                break
        if run.broken is not None:
            raise LessonError(f"the {side} server's run does not count: {run.broken}")
        return run

    def numbers(self, **runs: Run) -> None:
        """Show the values of some measurements in a table.

        The name of each argument is the heading of a column, for example in `numbers(bad=bad, good=good)`.
        """
        rows = [[f"**{self.claim.metric}**", *(number(run.value) for run in runs.values()), self.claim.unit]]
        for also in self.claim.also:
            values = _also_values(also, runs)
            if values:
                rows.append([also.metric, *map(number, values), also.unit])
        table(["measured", *runs, "unit"], *rows)

    def show_guess(self, bad: Run, guess: float | None) -> None:
        """Show the reader's guess beside the value measured on the bad server.

        `bad` is the measurement of the bad server. If `guess` is None, nothing is shown.
        """
        if guess is not None:
            words = f"You guessed {number(guess)} {self.claim.unit}, and {number(bad.value)} were measured."
            show_output(Markdown(words))

    def side_by_side(self, figure: "Figure", *, guess: float | None, bad: Run, good: Run) -> None:
        """Show a figure that compares both servers, with the reader's guess.

        The guess stands below the title, beside the values of the measurements `bad` and `good`. If `guess` is None,
        only the figure is shown.
        """
        note = ""
        if guess is not None:
            from lab.figures.guess_line import write_guess

            note = self._guess_line(guess, bad, good)
            write_guess(figure, note)
        draw(figure, note)

    def _guess_line(self, guess: float, bad: Run, good: Run) -> str:
        unit = " %" if self.claim.unit == "%" else ""
        numbers = [f"{number(value)}{unit}" for value in (guess, bad.value, good.value)]
        return "Your guess: {}; measured: bad {}, good {} ({})".format(*numbers, self.claim.metric)

    def verdict(self, bad: Run, good: Run) -> None:
        """Show whether two measurements confirm the claim of the lesson.

        The claim states a bound (the highest or the lowest allowed value) for each server's measured value. The
        measured values and the bounds are shown in a table.
        """
        runs: dict[Side, list[Run]] = {"bad": [bad], "good": [good]}
        outcome = OUTCOMES[judge(self.claim, runs).outcome]
        show_output(Markdown(f"**Claim {self.claim.id}: {outcome}.** {finding(self.claim, runs)}"))
        rows = [[side, number(runs[side][0].value), self.claim.wanted(side)] for side in SIDES]
        table(["server", f"{self.claim.metric} ({self.claim.unit})", "claimed"], *rows)
        show_output(Markdown(f"Why these bounds: {self.claim.reason}"))

    def growth(self, sweep: Sweep, *, title: str, each: str, of: str | None = None) -> None:
        """Draw how a metric of both servers grows with a parameter.

        `sweep` has the measurements for several values of the parameter. `{bad}` and `{good}` in `title` are replaced
        by the slope of each server's line: the growth of the metric when the parameter grows by 1. `each` is one unit
        of the parameter in words, such as `user`. `of` is the key of a secondary metric; None draws the primary metric.
        """
        from lab.figures.charts import growth, rises

        secondary = next((also for also in self.claim.also if also.key == of), None)
        metric, unit = (secondary.metric, secondary.unit) if secondary else (self.claim.metric, self.claim.unit)
        lines = [(side, sweep.values, sweep.of(side, of)) for side in SIDES]
        figure = growth(
            lines,
            title=title.format(**{side: number(rise) for side, rise in rises(lines).items()}),
            x_label=sweep.parameter.replace("_", " "),
            y_label=f"{metric} ({unit})",
            each=f"{unit} for each {each}",
        )
        draw(figure)

    def check(self, bad: Run, good: Run) -> None:
        """Check that the measurements confirm the claim, and all servers have stopped.

        The claim states, for each server, the range of the measured value. It is confirmed if both measurements are
        valid, and the value of each is in the range of its server. Raises `AssertionError` if the claim is not
        confirmed, or if a server or a background task is still running.
        """
        verdict = judge(self.claim, {"bad": [bad], "good": [good]})
        assert verdict.outcome == "shown", verdict.reason
        running = multiprocessing.active_children()
        assert not background.is_running(), "a live page is open: clear its output, wait 10 s, and run this cell again"
        assert not running, f"left running: {running}"
        show_output(Markdown(f"Claim {self.claim.id} is shown, and no server is left running."))


def _also_values(also: Also, runs: Mapping[str, Run]) -> list[float]:
    """Return the values of the secondary metric `also`, one per measurement.

    If the metric is relative, each value is divided by the good server's value. The list is empty if the metric was not
    measured, or if a relative metric has no value of the good server.
    """
    values = {side: run.also[also.key] for side, run in runs.items() if also.key in run.also}
    if not also.relative or not values:
        return list(values.values())
    return [value / values["good"] for value in values.values()] if values.get("good") else []


def lesson(number: int) -> Lesson:
    """Return the lesson with this number, 1 to 10.

    Raises `LessonError` for any other number.
    """
    claims = {claim.number: claim for claim in load_claims()}
    if number not in claims:
        raise LessonError(f"there is no lesson {number}; there are 1 to {len(claims)}")
    return Lesson(claims[number], load_scenarios()[claims[number].id])
