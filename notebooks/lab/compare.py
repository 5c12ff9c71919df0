"""Answers for the main job: every chosen experiment on both servers, again where a run leaves a doubt, and a verdict.

Each run has a server process of its own, fresh. Scenarios that mostly wait overlap, bad and good side by side; those
that measure time or load run with nothing else beside them.
"""

import asyncio
import dataclasses
import importlib
import pkgutil
import platform
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from types import ModuleType
from typing import Any, Protocol

import psutil

from lab import scenarios
from lab.claims import RUNS_WHEN_IN_DOUBT, SIDES, Claim, Side, Verdict, verdict
from lab.measure import Lateness, Run
from lab.servers import running

# scenarios at once, each on both servers: more would measure each other's clients
AT_ONCE = 2
RUN_SECONDS = 60.0
# clients that were later than this have measured themselves, too
LATE_SECONDS = 0.25
VERSIONS_OF = ("python-socketio", "python-engineio", "aiohttp", "pydantic", "uvloop", "rooms-not-ids")

Progress = Callable[[Claim, str], None]


class Scenario(Protocol):
    """What a module in `lab.scenarios` offers."""

    SETTINGS: Mapping[str, str]
    ALONE: bool
    run: Callable[..., Awaitable[Run]]


@dataclass(frozen=True)
class Result:
    """One claim, all its runs, and what they say."""

    claim: Claim
    runs: dict[Side, list[Run]]
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """The results of one `lab compare`, and where they were obtained."""

    results: Sequence[Result]
    environment: Mapping[str, Any]
    seconds: float

    @property
    def is_shown(self) -> bool:
        """Whether every claim is shown."""
        return all(result.verdict.outcome == "shown" for result in self.results)


def load_scenarios() -> dict[str, Any]:
    """Every scenario module by its claim's id, found by its name `sNN_…`."""
    names = [module.name for module in pkgutil.iter_modules(scenarios.__path__) if module.name[:1] == "s"]
    modules: dict[str, ModuleType] = {name[1:3]: importlib.import_module(f"lab.scenarios.{name}") for name in names}
    return modules


async def compare(
    claims: Sequence[Claim],
    *,
    seed: int = 7,
    progress: Progress = lambda claim, state: None,
    known: Mapping[str, Scenario] | None = None,
) -> Comparison:
    """Runs the experiments of `claims`; a scenario that fails is a claim not shown, never an exception."""
    known = known if known is not None else load_scenarios()
    started = time.monotonic()
    together = [claim for claim in claims if not known[claim.id].ALONE]
    alone = [claim for claim in claims if known[claim.id].ALONE]
    gate = asyncio.Semaphore(AT_ONCE)

    async def measured(claim: Claim) -> Result:
        async with gate:
            return await _measure(claim, known[claim.id], seed, progress)

    results = await _all_or_none([measured(claim) for claim in together])
    for claim in alone:
        results.append(await _measure(claim, known[claim.id], seed, progress))
    results.sort(key=lambda result: result.claim.id)
    raised = {name: value for claim in claims for name, value in known[claim.id].SETTINGS.items()}
    return Comparison(results, _environment(seed, raised), round(time.monotonic() - started, 1))


async def _all_or_none(work: Sequence[Awaitable[Result]]) -> list[Result]:
    """Like gather, and when one is cancelled waits until the others have ended their servers, too."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_awaited(one)) for one in work]
    return [task.result() for task in tasks]


async def _awaited(one: Awaitable[Result]) -> Result:
    return await one


async def _measure(claim: Claim, scenario: Scenario, seed: int, progress: Progress) -> Result:
    runs: dict[Side, list[Run]] = {side: [] for side in SIDES}
    progress(claim, "running")
    if scenario.ALONE:
        for side in SIDES:
            runs[side].append(await run_once(claim, scenario, side, seed=seed))
    else:
        first = await asyncio.gather(*(run_once(claim, scenario, side, seed=seed) for side in SIDES))
        for side, run in zip(SIDES, first, strict=True):
            runs[side].append(run)
    for side in SIDES:
        while _wants_another(claim, side, runs[side]):
            progress(claim, f"again: {side}")
            runs[side].append(await run_once(claim, scenario, side, seed=seed + len(runs[side])))
    result = Result(claim, runs, verdict(claim, runs))
    progress(claim, result.verdict.outcome)
    return result


def _wants_another(claim: Claim, side: Side, runs: Sequence[Run]) -> bool:
    if len(runs) >= RUNS_WHEN_IN_DOUBT or any(run.broken is not None for run in runs):
        return False
    return len(runs) > 1 or claim.is_doubtful(side, runs[0].value)


async def run_once(claim: Claim, scenario: Scenario, side: str, *, seed: int = 7, **parameters: Any) -> Run:
    """One run of a scenario on a fresh server; whatever goes wrong becomes the run's `broken`."""
    try:
        async with (
            asyncio.timeout(RUN_SECONDS),
            running(side, settings=scenario.SETTINGS) as server,
            Lateness() as lateness,
        ):
            run = await scenario.run(server.target(claim.number), seed=seed, **parameters)
    except Exception as error:  # noqa: BLE001 - a run that failed is a result: a claim not shown, with its reason
        text = str(error) or "no message"
        return Run(float("nan"), broken=f"{type(error).__name__}: {text.splitlines()[0]}")
    return dataclasses.replace(run, lateness_seconds=round(lateness.worst_seconds, 3))


def _environment(seed: int, raised: Mapping[str, str]) -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "cpus": psutil.cpu_count(),
        "versions": {name: metadata.version(name) for name in VERSIONS_OF if _is_installed(name)},
        "seed": seed,
        "raised_limits": dict(sorted(raised.items())),
    }


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
