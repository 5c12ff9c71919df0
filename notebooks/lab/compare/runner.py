"""Runs the experiments of all chosen claims on both servers.

A claim is a statement about the bad server (with ten mistakes) and the good server. Its experiment measures one value
on each server, and the claim states a bound for each value. A measurement is repeated if its value is near the bound or
does not meet the bound, or if slow clients have possibly falsified it. Each measurement has its own new server.
Experiments that mostly wait run at the same time; experiments that measure time or load run alone.
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

# number of runs at the same time; with more of them, the clients of one run would slow down those of another
AT_ONCE = 3

Finished = Callable[[Result], None]


class ExperimentRunner:
    """Runs experiments on new servers, in parallel or one at a time."""

    def __init__(
        self,
        scenarios: Mapping[str, Scenario],
        *,
        seed: int,
        progress: Progress,
        finished: Finished,
        workers: int = 1,
    ) -> None:
        self._scenarios = scenarios
        self._workers = workers
        self._seed = seed
        self._progress = progress
        self._finished = finished
        self._semaphore = asyncio.Semaphore(AT_ONCE)

    async def results(self, claims: Sequence[Claim]) -> list[Result]:
        """Test each claim with its experiment; return one result per claim.

        A claim is a statement about the bad and the good server. The results are sorted by the id of the claim. If an
        experiment fails, the verdict on its claim is `not_shown` (not confirmed).
        """
        alone = [claim for claim in claims if self._scenarios[claim.id].runs_alone]
        # after an interruption the task group waits until every server has stopped
        async with asyncio.TaskGroup() as group:
            together = [group.create_task(self._result(claim)) for claim in claims if claim not in alone]
        results = [task.result() for task in together] + [await self._result(claim) for claim in alone]
        return sorted(results, key=lambda result: result.claim.id)

    async def _result(self, claim: Claim) -> Result:
        if self._scenarios[claim.id].runs_alone:
            runs_of_sides = [await self._runs(claim, side) for side in SIDES]
        else:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._runs(claim, side)) for side in SIDES]
            runs_of_sides = [task.result() for task in tasks]
        runs = dict(zip(SIDES, runs_of_sides, strict=True))
        result = Result(claim, runs, judge(claim, runs))
        self._finished(result)
        return result

    async def _runs(self, claim: Claim, side: Side) -> list[Run]:
        runs: list[Run] = []
        while not runs or (len(runs) < RUNS_IN_DOUBT and claim.is_doubtful(side, runs[0])):
            async with self._semaphore:
                self._progress(claim, side, "again" if runs else "started")
                runs.append(
                    await run_once(
                        claim, self._scenarios[claim.id], side, seed=self._seed + len(runs), workers=self._workers
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
    scenarios: Mapping[str, Scenario] | None = None,
    workers: int = 1,
) -> Comparison:
    """Test each claim with its experiment on both servers.

    Each of `claims` is a statement about the bad and the good server. `scenarios` maps the id of a claim to its
    experiment; the default is the experiments of `lab.scenarios`. Each server has `workers` processes. If `workers` is
    greater than 1, `compare` also measures what percentage of messages and requested reports arrives when no connection
    is cut. `compare` calls `progress` when a measurement starts or ends, and `finished` with each result.
    """
    scenarios = scenarios if scenarios is not None else load_scenarios()
    started = time.monotonic()
    runner = ExperimentRunner(scenarios, seed=seed, progress=progress, finished=finished, workers=workers)
    results = await runner.results(claims)
    rows = await measure_before_any_cut(claims, workers=workers, seed=seed, progress=progress) if workers > 1 else []
    settings = [scenarios[claim.id].settings for claim in claims]
    seconds = round(time.monotonic() - started, 1)
    return Comparison(results, environment(seed, settings), seconds, workers, rows)
