"""Runs a scenario (a scripted experiment) once on a new server."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any, Literal

from lab.results.claims import Claim, Side
from lab.results.lateness import Lateness
from lab.results.run import Run
from lab.scenarios.scenario import Scenario
from lab.servers.probe_client import SilentServerError
from lab.servers.running import running

# several times as long as the longest scenario takes
RUN_SECONDS = 60.0

Phase = Literal["started", "again", "ended"]
Progress = Callable[[Claim, Side, Phase], None]


async def run_once(
    claim: Claim, scenario: Scenario, side: str, *, seed: int = 7, workers: int = 1, **parameters: Any
) -> Run:
    """Run a scenario once on a new server of `workers` processes.

    `scenario` is a scripted experiment with clients, and `claim` is the statement that it tests. The number of the
    claim selects the namespace of the clients. `side` is `good` (the good server), `bad` (the bad server), or an app as
    `module:function`. `seed` and `parameters` are passed to the scenario. If the scenario fails, nothing is raised: the
    field `broken` of the returned run says why.
    """
    lateness, limit = Lateness(), asyncio.timeout(None)
    try:
        async with (
            running(side, workers=workers, settings=scenario.settings, makes_reports=scenario.makes_reports) as server,
            lateness,
            limit,
        ):
            # from now on, because the start and the stop of a server have limits of their own
            limit.reschedule(asyncio.get_running_loop().time() + RUN_SECONDS)
            run = await scenario.run(server.target(claim.number), seed=seed, **parameters)
    except SilentServerError as error:
        run = Run(float("nan"), broken=str(error))
    except Exception as error:  # noqa: BLE001 - a failed run is a result: the claim is not shown, with this reason
        reason = f"not finished within {RUN_SECONDS:.0f} s" if limit.expired() else _in_one_line(error)
        run = Run(float("nan"), broken=reason)
    return dataclasses.replace(run, lateness_seconds=round(max(run.lateness_seconds, lateness.worst_seconds), 3))


def _in_one_line(error: Exception) -> str:
    """Return the class name and the first line of an error.

    For an `ExceptionGroup`, the text describes only the first exception of the group.
    """
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
