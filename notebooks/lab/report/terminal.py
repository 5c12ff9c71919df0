"""Answers for how a comparison is told: a table and remarks in the terminal, and JSON for programs."""

from collections.abc import Mapping
from typing import Any

import orjson
from rich.table import Table

from lab.compare.comparison import Comparison, Result
from lab.compare.two_processes import TwoProcessResult, sides_and_processes
from lab.results.claims import SIDES, Also
from lab.results.run import is_late
from lab.results.verdict import reported_value
from lab.results.wording import OUTCOMES, number

SCHEMA = 1
FAILS = {True: "yes", False: "no"}
BOUNDS_BEFORE = ("bad_at_most", "bad_at_least", "others_at_least")
COLOURS = {"shown": "green", "not_shown": "bold red", "inconclusive": "bold yellow"}


def table(comparison: Comparison) -> Table:
    """The terminal's table; it says in words what it says in colour."""
    grid = Table(header_style="bold")
    for name in ("", "claim", "measured"):
        grid.add_column(name, overflow="fold")
    for name in SIDES:
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("verdict", no_wrap=True)
    for result in comparison.results:
        claim, outcome = result.claim, result.verdict.outcome
        values = (number(reported_value(claim, result.runs[side])) for side in SIDES)
        told = f"[{COLOURS[outcome]}]{OUTCOMES[outcome]}[/]"
        grid.add_row(claim.id, claim.title, f"{claim.metric} ({claim.unit})", *values, told)
    return grid


def before_any_cut(comparison: Comparison) -> Table:
    """The second table of a comparison with several processes."""
    title = "before any cut, with one process a side and with several"
    grid = Table(header_style="bold", title=title, title_justify="left")
    for name in ("", "mistake", "measured"):
        grid.add_column(name, no_wrap=True)
    for head in two_process_heads(comparison.workers):
        grid.add_column(head, justify="right", no_wrap=True)
    grid.add_column("fails yet")
    grid.add_column("verdict", no_wrap=True)
    for row in comparison.before_any_cut:
        outcome = row.verdict.outcome
        values = (number(row.value(*case)) for case in sides_and_processes(row.workers))
        told = f"[{COLOURS[outcome]}]{OUTCOMES[outcome]}[/]"
        grid.add_row(
            row.claim.id, row.claim.slug, f"{row.bounds.metric} ({row.bounds.unit})", *values, FAILS[row.fails], told
        )
    return grid


def two_process_heads(workers: int) -> list[str]:
    """What stands over the values of that table: a side, and how many processes it is."""
    return [f"{side}, {count}" for side, count in sides_and_processes(workers)]


def doubts(comparison: Comparison) -> list[str]:
    """What speaks against a result, a line each: why a claim is not shown, whose clients were late."""
    lines = [
        f"{result.claim.id} {OUTCOMES[result.verdict.outcome]}: {result.verdict.reason}"
        for result in comparison.results
        if result.verdict.reason is not None
    ]
    lines += [
        f"{row.claim.id} before any cut {OUTCOMES[row.verdict.outcome]}: {row.verdict.reason}"
        for row in comparison.before_any_cut
        if row.verdict.reason is not None
    ]
    late = [f"{result.claim.id} by {worst:.2f} s" for result in comparison.results if (worst := lateness(result))]
    if late:
        lines.append(f"the clients' own process was late ({', '.join(late)}): counts hold, times are to be doubted")
    return lines


def remarks(comparison: Comparison) -> list[str]:
    """What stands under the tables, a line each."""
    raised = comparison.environment["raised_limits"].items()
    settings = ", ".join(f"{name}={value}" for name, value in raised)
    found = [f"{row.claim.id} before any cut: {row.finding}" for row in comparison.before_any_cut]
    return [*found, *doubts(comparison), f"settings of the lab's servers: {settings}", summary(comparison)]


def lateness(result: Result) -> float:
    """By how many seconds the clients of any of its runs were late; 0.0 where that is within bounds."""
    return max((run.lateness_seconds for side in SIDES for run in result.runs[side] if is_late(run)), default=0.0)


def summary(comparison: Comparison) -> str:
    """The outcome in one line."""
    shown = sum(result.verdict.outcome == "shown" for result in comparison.results)
    processes = f" with {comparison.workers} processes a side" if comparison.workers > 1 else ""
    return f"{shown} of {len(comparison.results)} claims shown{processes} in {comparison.seconds:.1f} s"


def environment_line(environment: Mapping[str, Any]) -> str:
    """Where and with what it was measured, in one line."""
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
    where = f"Python {environment['python']} on {environment['platform']}, {environment['cpus']} CPUs"
    return f"{where}; {versions}; seed {environment['seed']}"


def as_json(comparison: Comparison) -> bytes:
    """The comparison by the contract's schema; where nothing was measured, null."""
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
    told = row.verdict
    return {
        "id": row.claim.id,
        "slug": row.claim.slug,
        **row.bounds.model_dump(include={"metric", "unit", *BOUNDS_BEFORE}, exclude_none=True),
        **{side: row.value(side, row.workers) for side in SIDES},
        "one_process": {side: row.value(side, 1) for side in SIDES},
        "fails_before_any_cut": row.fails,
        "verdict": told.outcome,
        "reason": told.reason,
    }


def also_values(result: Result, also: Also) -> dict[str, float | None]:
    """A secondary metric by side, as multiples of the good server's where it is relative; None if not measured."""
    values: dict[str, float | None] = {
        side: reported_value(result.claim, result.runs[side], also.key) for side in SIDES
    }
    good = values["good"]
    if not also.relative:
        return values
    return {side: value / good if value is not None and good else None for side, value in values.items()}
