"""Report of `lab bench`: a table, remarks below the table, and JSON."""

from typing import Any

import orjson
from rich.table import Table

from lab.bench.peers import FLOOR
from lab.bench.run import BenchmarkResult, BenchResults
from lab.results.wording import NOTHING, number

SCHEMA = 1


def table(bench: BenchResults) -> Table:
    """Returns the table of results, with one row per benchmark.

    Each server has one column. A cell has the server's value, and this value as a multiple of the good server's value.
    The dim rows below a benchmark are its secondary values.
    """
    peers = [peer.id for peer in bench.peers]
    grid = Table(header_style="bold")
    for name in ("benchmark", "unit"):
        grid.add_column(name)
    for name in peers:
        grid.add_column(name, justify="right", no_wrap=True)
    for result in bench.results:
        grid.add_row(result.benchmark.id, shown_unit(result.benchmark.unit), *(_cell(result, peer) for peer in peers))
        for name in _other_names(result):
            values = (result.other_values(peer).get(name) if peer in result.samples else None for peer in peers)
            cells = (number(value) for value in values)
            grid.add_row("", f"  {shown_unit(name)}", *cells, style="dim")
        if FLOOR.id in result.samples:
            floor = f"{number(result.value(FLOOR.id))} {spread(result, FLOOR.id)}"
            grid.add_row("", f"  {FLOOR.id}, no server", floor, style="dim")
    return grid


def shown_unit(unit: str) -> str:
    """Returns a unit as printed in the table: `µs` instead of `us`."""
    return f"µs{unit.removeprefix('us')}" if unit.split()[0] == "us" else unit


def _other_names(result: BenchmarkResult) -> list[str]:
    return list(next((samples[0].other_values for samples in result.samples.values()), {}))


def _cell(result: BenchmarkResult, peer: str) -> str:
    if peer not in result.samples:
        return NOTHING
    multiple = relative(result, peer)
    comparison = "" if peer == "good" or multiple is None else f" = {number(multiple)} x good"
    return " ".join(filter(None, [number(result.value(peer)), spread(result, peer)])) + comparison


def spread(result: BenchmarkResult, peer: str) -> str:
    """Returns a server's smallest and largest value, such as `(1.2–1.5)`.

    `peer` is the id of the server. The string is empty when the benchmark ran only once on that server.
    """
    values = [sample.value for sample in result.samples[peer]]
    return f"({number(min(values))}–{number(max(values))})" if len(values) > 1 else ""


def relative(result: BenchmarkResult, peer: str) -> float | None:
    """Returns a server's value divided by the good server's value.

    `peer` is the id of the server. Returns None when one of the two values is missing, zero or negative.
    """
    if "good" not in result.samples or peer not in result.samples:
        return None
    good, value = result.value("good"), result.value(peer)
    return value / good if good > 0 and value > 0 else None


def remarks(bench: BenchResults) -> list[str]:
    """Returns the lines that are printed below the table of results.

    These lines name the reasons to doubt a value, the missing and the measured servers, and the versions of the
    software. They also name the good server's limits, such as rate limits, that were raised for the load.
    """
    environment = bench.environment
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
    where = f"Python {environment['python']} on {environment['platform']}, {environment['cpus']} CPUs"
    raised = ", ".join(f"{name}={value}" for name, value in environment["raised_limits"].items())
    return [
        *(f"doubt: {line}" for line in doubts(bench)),
        *bench.absent.values(),
        *(f"{peer.id}: {peer.description}" for peer in bench.peers),
        f"the good server's limits raised for this load: {raised}",
        f"{where}; {versions}; {environment['seconds']:.0f} s",
    ]


def doubts(bench: BenchResults) -> list[str]:
    """Returns all reasons not to trust `bench`, one string each."""
    return [*bench.doubts, *(line for result in bench.results for line in result.doubts)]


def as_json(bench: BenchResults) -> bytes:
    """Returns the results of `lab bench` as JSON.

    `SCHEMA` is the version of the format.
    """
    document = {
        "schema": SCHEMA,
        "environment": {**bench.environment, "doubts": bench.doubts, "absent": bench.absent},
        "benchmarks": [_as_data(result) for result in bench.results],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _as_data(result: BenchmarkResult) -> dict[str, Any]:
    benchmark, samples = result.benchmark, result.samples
    return {
        "id": benchmark.id,
        "title": benchmark.title,
        "unit": benchmark.unit,
        "better": benchmark.better,
        "results": {peer: result.value(peer) for peer in samples},
        "runs": {peer: [sample.value for sample in samples[peer]] for peer in samples},
        "also": {peer: result.other_values(peer) for peer in samples},
        "generator_share": {peer: [sample.generator_share for sample in samples[peer]] for peer in samples},
        "doubts": result.doubts,
    }
