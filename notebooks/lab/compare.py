"""Answers for the main job: every chosen experiment on both servers, again where a run leaves a doubt, and a verdict.

Each run has a server process of its own, fresh. Scenarios that mostly wait overlap; those that measure time or load
run with nothing else beside them.
"""

import asyncio
import dataclasses
import importlib
import pkgutil
import platform
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from types import ModuleType
from typing import Any, Literal, Protocol

import psutil

from lab import scenarios
from lab.before import Neighbours, Row, cases
from lab.claims import RUNS_IN_DOUBT, SIDES, Claim, Runs, Side, Verdict, load_before_any_cut, verdict
from lab.measure import Lateness, Run
from lab.servers import PLUMBING, running

# runs at once, each with a server of its own: more would measure each other's clients
AT_ONCE = 3
# several times what the longest scenario takes
RUN_SECONDS = 60.0
VERSIONS_OF = ("python-socketio", "python-engineio", "aiohttp", "uvloop")

Phase = Literal["started", "again", "ended"]
Progress = Callable[[Claim, Side, Phase], None]


class Scenario(Protocol):
    """What a module in `lab.scenarios` offers."""

    SETTINGS: Mapping[str, str]
    # nothing else runs beside it
    ALONE: bool
    # several processes need one more for them
    MAKES_REPORTS: bool

    @property
    def run(self) -> Callable[..., Awaitable[Run]]:
        """`run(target, seed=…, …)` measures once."""


@dataclass(frozen=True)
class Result:
    """One claim, all its runs, and what they say."""

    claim: Claim
    runs: Runs
    verdict: Verdict


Finished = Callable[[Result], None]


@dataclass(frozen=True)
class Comparison:
    """The results of one `lab compare`, and where they were obtained."""

    results: Sequence[Result]
    environment: Mapping[str, Any]
    seconds: float
    # processes of each side
    workers: int = 1
    # with several processes alone
    before_any_cut: Sequence[Row] = ()

    @property
    def is_shown(self) -> bool:
        """Whether every claim is shown, and whatever is claimed of several processes before any cut."""
        verdicts = [result.verdict for result in self.results] + [row.verdict for row in self.before_any_cut]
        return all(verdict.outcome == "shown" for verdict in verdicts)


def load_scenarios() -> dict[str, Any]:
    """Every scenario module by its claim's id, found by its name `sNN_…`."""
    found: dict[str, ModuleType] = {}
    for module in pkgutil.iter_modules(scenarios.__path__):
        if named := re.match(r"s(\d\d)_", module.name):
            found[named[1]] = importlib.import_module(f"lab.scenarios.{module.name}")
    return found


class Bench:
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
        alone = [claim for claim in claims if self._known[claim.id].ALONE]
        # when it is interrupted a group waits until every server has ended
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self._result(claim)) for claim in claims if claim not in alone]
        results = [task.result() for task in beside] + [await self._result(claim) for claim in alone]
        return sorted(results, key=lambda result: result.claim.id)

    async def _result(self, claim: Claim) -> Result:
        if self._known[claim.id].ALONE:
            both = [await self._runs(claim, side) for side in SIDES]
        else:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._runs(claim, side)) for side in SIDES]
            both = [task.result() for task in tasks]
        runs = dict(zip(SIDES, both, strict=True))
        result = Result(claim, runs, verdict(claim, runs))
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
    bench = Bench(known, seed=seed, progress=progress, finished=finished, workers=workers)
    results = await bench.results(claims)
    rows = await before_any_cut(claims, workers=workers, seed=seed, progress=progress) if workers > 1 else []
    settings = [known[claim.id].SETTINGS for claim in claims]
    seconds = round(time.monotonic() - started, 1)
    return Comparison(results, environment(seed, settings), seconds, workers, rows)


async def before_any_cut(
    claims: Sequence[Claim],
    *,
    workers: int,
    seed: int = 7,
    progress: Progress = lambda claim, side, phase: None,
) -> list[Row]:
    """A row for each of `claims` that claims.toml says something of, measured with one process and with several."""
    by_id = {claim.id: claim for claim in claims}
    rows = []
    for bounds in load_before_any_cut():
        if bounds.id not in by_id:
            continue
        claim, scenario, runs = by_id[bounds.id], Neighbours(bounds.asks), {}
        for side, count in cases(workers):
            progress(claim, side, "started")
            runs[side, count] = await run_once(claim, scenario, side, seed=seed, workers=count)
            progress(claim, side, "ended")
        rows.append(Row(claim, bounds, runs, workers))
    return rows


async def run_once(
    claim: Claim, scenario: Scenario, side: str, *, seed: int = 7, workers: int = 1, **parameters: Any
) -> Run:
    """One run of a scenario on a fresh server of so many processes; whatever goes wrong becomes the run's `broken`."""
    lateness = Lateness()
    try:
        async with (
            asyncio.timeout(RUN_SECONDS) as limit,
            running(side, workers=workers, settings=scenario.SETTINGS, makes_reports=scenario.MAKES_REPORTS) as server,
            lateness,
        ):
            run = await scenario.run(server.target(claim.number), seed=seed, **parameters)
    except Exception as error:  # noqa: BLE001 - a run that failed is a result: a claim not shown, with its reason
        why = f"no end within {RUN_SECONDS:.0f} s" if limit.expired() else _in_one_line(error)
        run = Run(float("nan"), broken=why)
    return dataclasses.replace(run, lateness_seconds=round(max(run.lateness_seconds, lateness.worst_seconds), 3))


def _in_one_line(error: Exception) -> str:
    """The class and the first line; of a group, those of its first."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return ": ".join([type(error).__name__, *str(error).splitlines()[:1]])


def environment(seed: int, settings: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Where and with what it is measured; `raised_limits` are the settings that differ from the server's defaults."""
    raised: dict[str, set[str]] = {name: {value} for name, value in PLUMBING.items() if not name.endswith("_PORT")}
    for name, value in (item for one in settings for item in one.items()):
        raised.setdefault(name, set()).add(value)
    return {
        "python": platform.python_version(),
        # not the kernel build: it says nothing about the measurement
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": psutil.cpu_count(),
        "versions": {name: metadata.version(name) for name in VERSIONS_OF if _is_installed(name)},
        "seed": seed,
        "raised_limits": {name: " or ".join(sorted(values)) for name, values in sorted(raised.items())},
    }


def _is_installed(name: str) -> bool:
    return any(metadata.distributions(name=name))
