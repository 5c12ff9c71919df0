"""Verdicts: what the runs of both sides say of a claim."""

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
    """What the runs of both sides say of a claim; `reason` is None when it is shown."""

    outcome: Literal["shown", "not_shown", "inconclusive"]
    reason: str | None = None


def counting_runs(claim: Claim, runs: Sequence[Run]) -> Sequence[Run]:
    """The runs that a verdict rests on: those that late clients did not spoil, if there are any."""
    return [run for run in runs if not claim.is_spoilt(run)] or runs


def judge(claim: Claim, runs: Runs) -> Verdict:
    """Shown when every run of both sides holds; one whose precondition failed is no evidence, however good."""
    missed, mixed = [], []
    for side in SIDES:
        counting = counting_runs(claim, runs[side])
        broken = next((run.broken for run in counting if run.broken is not None), None)
        if broken is not None:
            return Verdict("not_shown", f"{side}: {broken}")
        held = [claim.holds(side, run.value) for run in counting]
        if not any(held):
            values = ", ".join(f"{run.value:.4g}" for run in counting)
            missed.append(f"{side} measured {values}, wanted {claim.wanted(side)}")
        elif not all(held):
            mixed.append(f"{side}: {held.count(True)} of {len(held)} runs hold")
    if missed:
        return Verdict("not_shown", "; ".join(missed))
    return Verdict("inconclusive", "; ".join(mixed)) if mixed else Verdict("shown")


def reported_value(claim: Claim, runs: Sequence[Run], key: str | None = None) -> float | None:
    """The median over the runs that count, of the primary metric or of the secondary one `key`; None without any."""
    counting = [run for run in counting_runs(claim, runs) if run.broken is None]
    values = [run.value if key is None else run.also.get(key, math.nan) for run in counting]
    values = [value for value in values if not math.isnan(value)]
    return statistics.median(values) if values else None
