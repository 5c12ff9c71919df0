"""One run of a scenario on a fresh server."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any, Literal

from lab.results.claims import Claim, Side
from lab.results.lateness import Lateness
from lab.results.run import Run
from lab.scenarios.scenario import Scenario
from lab.servers.running import running

# several times what the longest scenario takes
RUN_SECONDS = 60.0

Phase = Literal["started", "again", "ended"]
Progress = Callable[[Claim, Side, Phase], None]


async def run_once(
    claim: Claim, scenario: Scenario, side: str, *, seed: int = 7, workers: int = 1, **parameters: Any
) -> Run:
    """One run of a scenario on a fresh server of so many processes; whatever goes wrong becomes the run's `broken`."""
    lateness = Lateness()
    try:
        async with (
            asyncio.timeout(RUN_SECONDS) as limit,
            running(side, workers=workers, settings=scenario.settings, makes_reports=scenario.makes_reports) as server,
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
