"""Judges whether measurements confirm a claim about `bad_server` and `good_server`."""

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
    """The verdict on a claim about `bad_server` and `good_server`.

    A run is one measurement of one server; the runs that `counting_runs` leaves out are ignored. `outcome` is `shown`
    when the value of each run is in the range that the claim states for the server. It is `not_shown` when a run
    failed, or when one server has no run in its range. Otherwise `outcome` is `inconclusive`. `reason` says why the
    claim is not confirmed; it is None when `outcome` is `shown`.
    """

    outcome: Literal["shown", "not_shown", "inconclusive"]
    reason: str | None = None


def counting_runs(claim: Claim, runs: Sequence[Run]) -> Sequence[Run]:
    """Return the runs of one server that count for the verdict.

    A run is one measurement. The verdict says whether the runs confirm the claim. A run does not count if the clients'
    slow event loop possibly falsified it. If all runs are possibly falsified, all count.
    """
    return [run for run in runs if not claim.is_spoilt(run)] or runs


def judge(claim: Claim, runs: Runs) -> Verdict:
    """Return the verdict on a claim about `bad_server` and `good_server`.

    `runs` has the measurements of each server. Only the runs that `counting_runs` returns are used. The claim is
    confirmed when the value of each of these runs is in the range that the claim states for the server. If one of these
    runs failed (its `broken` is set), the claim is not confirmed, even if the measured value is good.
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
    """Return the median value of the valid measurements in `runs`.

    All `runs` measured the same server. A run is valid if its `broken` is None, and if it is among the results of the
    function `counting_runs`. The values are those of the secondary metric `key`, or of the primary metric if `key` is
    None. Returns None if no valid run has a value.
    """
    counting = [run for run in counting_runs(claim, runs) if run.broken is None]
    values = [run.value if key is None else run.also.get(key, math.nan) for run in counting]
    values = [value for value in values if not math.isnan(value)]
    return statistics.median(values) if values else None
