"""Judges whether the runs of both servers show a claim.

A claim is a statement about the bad and the good server.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lab.results.claims import SIDES, Claim, Runs
from lab.results.run import Run

RUNS_IN_DOUBT = 3


@dataclass(frozen=True)
class Verdict:
    """What the runs of both servers show about a claim.

    `reason` says why the claim is not shown; it is None when the claim is shown.
    """

    outcome: Literal["shown", "not_shown", "inconclusive"]
    reason: str | None = None


def counting_runs(claim: Claim, runs: Sequence[Run]) -> Sequence[Run]:
    """Return the runs of one server that count for the verdict.

    A run does not count if the clients' slow event loop may have falsified it. If no run is left, all runs count.
    """
    return [run for run in runs if not claim.is_spoilt(run)] or runs


def judge(claim: Claim, runs: Runs) -> Verdict:
    """Return the verdict on a claim from the runs of both servers.

    Only the runs of `counting_runs` count: if possible, not those that the clients' slow event loop may have falsified.
    The claim is shown when each of these runs meets its bound. It is not shown when the precondition of one of these
    runs failed, even if the measured value is good.
    """
    missed, mixed = [], []
    for side in SIDES:
        counting = counting_runs(claim, runs[side])
        broken = next((run.broken for run in counting if run.broken is not None), None)
        if broken is not None:
            return Verdict("not_shown", f"{side}: {broken}")
        holds = [claim.holds(side, run.value) for run in counting]
        if not any(holds):
            values = ", ".join(f"{run.value:.4g}" for run in counting)
            missed.append(f"{side} measured {values}, wanted {claim.wanted(side)}")
        elif not all(holds):
            mixed.append(f"{side}: {holds.count(True)} of {len(holds)} runs meet the bound")
    if missed:
        return Verdict("not_shown", "; ".join(missed))
    return Verdict("inconclusive", "; ".join(mixed)) if mixed else Verdict("shown")


def reported_value(claim: Claim, runs: Sequence[Run], key: str | None = None) -> float | None:
    """Return the median value of one server's valid runs.

    The value is that of the secondary metric `key`, or of the primary metric if `key` is None. A run is valid if its
    precondition held, and if it is one of `counting_runs`: if possible, these leave out the runs that slow clients may
    have falsified. Returns None if no valid run has a value.
    """
    counting = [run for run in counting_runs(claim, runs) if run.broken is None]
    values = [run.value if key is None else run.also.get(key, math.nan) for run in counting]
    values = [value for value in values if not math.isnan(value)]
    return statistics.median(values) if values else None
