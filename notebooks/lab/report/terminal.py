"""Shows a comparison of two servers in a terminal: tables and remarks."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from lab.compare.comparison import Comparison, Result
from lab.compare.two_processes import sides_and_processes
from lab.results.claims import SIDES
from lab.results.run import is_late
from lab.results.verdict import reported_value
from lab.results.wording import OUTCOMES, number

FAILS = {True: "yes", False: "no"}
COLOURS = {"shown": "green", "not_shown": "bold red", "inconclusive": "bold yellow"}


def table(comparison: Comparison) -> Table:
    """Build the table of results, one row per claim about the servers.

    Colours only repeat what the words say, so the table is complete without colours.
    """
    grid = Table(header_style="bold")
    for name in ("", "claim", "measured"):
        grid.add_column(name, overflow="fold")
    for name in SIDES:
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("verdict", no_wrap=True)
    for result in comparison.results:
        claim, outcome = result.claim, result.verdict.outcome
        values = (number(reported_value(claim, result.runs[side])) for side in SIDES)
        grid.add_row(claim.id, claim.title, f"{claim.metric} ({claim.unit})", *values, _coloured(outcome))
    return grid


def before_any_cut(comparison: Comparison) -> Table:
    """Build the table of the measurements without connection cuts.

    Each value is the percentage of messages or reports that arrived at the clients. A report is the result of heavy
    work that a user requests. Each server has two columns: with one process, and with several processes. Only a
    comparison with several server processes has this table, as its second table.
    """
    title = "before any cut, with one process per side and with several"
    grid = Table(header_style="bold", title=title, title_justify="left")
    for name in ("", "mistake", "measured"):
        grid.add_column(name, no_wrap=True)
    for heading in two_process_headings(comparison.workers):
        grid.add_column(heading, justify="right", no_wrap=True)
    grid.add_column("already fails")
    grid.add_column("verdict", no_wrap=True)
    for row in comparison.before_any_cut:
        measured = f"{row.bounds.metric} ({row.bounds.unit})"
        values = (number(row.value(*case)) for case in sides_and_processes(row.workers))
        verdict = _coloured(row.verdict.outcome)
        grid.add_row(row.claim.id, row.claim.slug, measured, *values, FAILS[row.fails], verdict)
    return grid


def _coloured(outcome: str) -> str:
    return f"[{COLOURS[outcome]}]{OUTCOMES[outcome]}[/]"


def two_process_headings(workers: int) -> list[str]:
    """Return the headings of the value columns in the `before_any_cut` table.

    This table has the measurements without connection cuts. Each heading names a server and its number of processes,
    such as `bad, 2`. `workers` is the larger number of processes in the comparison.
    """
    return [f"{side}, {count}" for side, count in sides_and_processes(workers)]


def doubts(comparison: Comparison) -> list[str]:
    """Return the reasons to doubt the results of a comparison.

    Each reason is one line, for example that a claim about the servers was not confirmed, or that the clients' event
    loop was too slow.
    """
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
        lines.append(f"the clients' own process was late ({', '.join(late)}): counts are valid, times are doubtful")
    return lines


def remarks(comparison: Comparison) -> list[str]:
    """Return the lines that are printed below the tables of a comparison.

    The lines have the results that were measured without connection cuts, the reasons to doubt a value, the changed
    server settings, and how many claims about the servers were confirmed.
    """
    raised = comparison.environment["raised_limits"].items()
    settings = ", ".join(f"{name}={value}" for name, value in raised)
    found = [f"{row.claim.id} before any cut: {row.finding}" for row in comparison.before_any_cut]
    return [*found, *doubts(comparison), f"settings of the lab's servers: {settings}", summary(comparison)]


def lateness(result: Result) -> float:
    """Return the worst lag of the clients' event loop, in seconds.

    A run is one measurement of one server. Only late runs count: the lag of a late run is so large that the run's
    measured times cannot be trusted. Returns 0.0 if no run was late.
    """
    return max((run.lateness_seconds for side in SIDES for run in result.runs[side] if is_late(run)), default=0.0)


def summary(comparison: Comparison) -> str:
    """Say in one line how many claims about the servers were confirmed."""
    shown = sum(result.verdict.outcome == "shown" for result in comparison.results)
    processes = f" with {comparison.workers} processes per side" if comparison.workers > 1 else ""
    return f"{shown} of {len(comparison.results)} claims shown{processes} in {comparison.seconds:.1f} s"


def environment_line(environment: Mapping[str, Any]) -> str:
    """Describe the machine and the versions of a comparison in one line.

    `environment` also has the seed of the measurements, which is part of the line.
    """
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
    where = f"Python {environment['python']} on {environment['platform']}, {environment['cpus']} CPUs"
    return f"{where}; {versions}; seed {environment['seed']}"
