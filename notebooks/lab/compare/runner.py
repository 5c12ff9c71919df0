"""Experiment runner: every chosen claim on both servers, repeated where a run leaves a doubt.

Each run has a server process of its own, fresh. Scenarios that mostly wait overlap; those that measure time or load
run with nothing else beside them.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from lab.compare.comparison import Comparison, Result, environment
from lab.compare.one_run import Progress, run_once
from lab.compare.two_processes import measure_before_any_cut
from lab.results.claims import SIDES, Claim, Side
from lab.results.run import Run
from lab.results.verdict import RUNS_IN_DOUBT, judge
from lab.scenarios.catalogue import load_scenarios
from lab.scenarios.scenario import Scenario

# runs at once, each with a server of its own: more would measure each other's clients
AT_ONCE = 3

Finished = Callable[[Result], None]


class ExperimentRunner:
    """Runs scenarios on fresh servers: most of them beside each other, some with nothing beside them."""

    def __init__(
        self,
        known: Mapping[str, Scenario],
        *,
        seed: int,
        progress: Progress,
        finished: Finished,
        workers: int = 1,
    ) -> None:
        self._known = known
        self._workers = workers
        self._seed = seed
        self._progress = progress
        self._finished = finished
        self._seats = asyncio.Semaphore(AT_ONCE)

    async def results(self, claims: Sequence[Claim]) -> list[Result]:
        """By id; a scenario that fails is a claim not shown."""
        alone = [claim for claim in claims if self._known[claim.id].runs_alone]
        # when it is interrupted a group waits until every server has ended
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self._result(claim)) for claim in claims if claim not in alone]
        results = [task.result() for task in beside] + [await self._result(claim) for claim in alone]
        return sorted(results, key=lambda result: result.claim.id)

    async def _result(self, claim: Claim) -> Result:
        if self._known[claim.id].runs_alone:
            both = [await self._runs(claim, side) for side in SIDES]
        else:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._runs(claim, side)) for side in SIDES]
            both = [task.result() for task in tasks]
        runs = dict(zip(SIDES, both, strict=True))
        result = Result(claim, runs, judge(claim, runs))
        self._finished(result)
        return result

    async def _runs(self, claim: Claim, side: Side) -> list[Run]:
        runs: list[Run] = []
        while not runs or (len(runs) < RUNS_IN_DOUBT and claim.is_doubtful(side, runs[0])):
            async with self._seats:
                self._progress(claim, side, "again" if runs else "started")
                runs.append(
                    await run_once(
                        claim, self._known[claim.id], side, seed=self._seed + len(runs), workers=self._workers
                    )
                )
                self._progress(claim, side, "ended")
        return runs


async def compare(
    claims: Sequence[Claim],
    *,
    seed: int = 7,
    progress: Progress = lambda claim, side, phase: None,
    finished: Finished = lambda result: None,
    known: Mapping[str, Scenario] | None = None,
    workers: int = 1,
) -> Comparison:
    """Runs the experiments of `claims` by the scenarios in `known`, those of `lab.scenarios` by default.

    Each side is as many processes as `workers` says; with several, what shows before any cut is measured as well.
    """
    known = known if known is not None else load_scenarios()
    started = time.monotonic()
    runner = ExperimentRunner(known, seed=seed, progress=progress, finished=finished, workers=workers)
    results = await runner.results(claims)
    rows = await measure_before_any_cut(claims, workers=workers, seed=seed, progress=progress) if workers > 1 else []
    settings = [known[claim.id].settings for claim in claims]
    seconds = round(time.monotonic() - started, 1)
    return Comparison(results, environment(seed, settings), seconds, workers, rows)
