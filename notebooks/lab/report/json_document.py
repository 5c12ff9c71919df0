"""Writes a comparison of two servers as JSON, for other programs."""

from typing import Any

import orjson

from lab.compare.comparison import Comparison, Result
from lab.compare.two_processes import TwoProcessResult
from lab.report.terminal import lateness
from lab.results.claims import SIDES, Also
from lab.results.verdict import reported_value

SCHEMA = 1
BOUNDS_BEFORE = ("bad_at_most", "bad_at_least", "others_at_least")


def as_json(comparison: Comparison) -> bytes:
    """Return a comparison of two servers as JSON.

    A value that was not measured is null.
    """
    document = {
        "schema": SCHEMA,
        "environment": comparison.environment,
        "seconds": comparison.seconds,
        "claims": [_claim_as_data(result) for result in comparison.results],
    }
    if comparison.workers > 1:
        document["workers"] = comparison.workers
        document["before_any_cut"] = [_row_as_data(row) for row in comparison.before_any_cut]
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _claim_as_data(result: Result) -> dict[str, Any]:
    claim = result.claim
    return {
        **claim.model_dump(exclude={"also", "finding", "reason", "timed"}, exclude_none=True),
        **{side: reported_value(claim, result.runs[side]) for side in SIDES},
        "verdict": result.verdict.outcome,
        "reason": result.verdict.reason,
        "runs": {side: [run.value for run in result.runs[side]] for side in SIDES},
        "lateness_seconds": {side: [run.lateness_seconds for run in result.runs[side]] for side in SIDES},
        "clients_were_late": bool(lateness(result)),
        "also": [
            {"key": also.key, "metric": also.metric, "unit": also.unit, **also_values(result, also)}
            for also in claim.also
        ],
    }


def _row_as_data(row: TwoProcessResult) -> dict[str, Any]:
    return {
        "id": row.claim.id,
        "slug": row.claim.slug,
        **row.bounds.model_dump(include={"metric", "unit", *BOUNDS_BEFORE}, exclude_none=True),
        **{side: row.value(side, row.workers) for side in SIDES},
        "one_process": {side: row.value(side, 1) for side in SIDES},
        "fails_before_any_cut": row.fails,
        "verdict": row.verdict.outcome,
        "reason": row.verdict.reason,
    }


def also_values(result: Result, also: Also) -> dict[str, float | None]:
    """Return the value of the secondary metric `also` for each server.

    The result maps `bad` and `good` to the values. A value is None if it was not measured. A relative metric is given
    as a multiple of the good server's value; if the good server's value is 0 or was not measured, both values are None.
    """
    values: dict[str, float | None] = {
        side: reported_value(result.claim, result.runs[side], also.key) for side in SIDES
    }
    good = values["good"]
    if not also.relative:
        return values
    return {side: value / good if value is not None and good else None for side, value in values.items()}
