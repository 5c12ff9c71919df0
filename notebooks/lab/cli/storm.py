"""The command `lab storm`: measures how clients reconnect after a server restart."""

import argparse
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.cli import results
from lab.system.exit_codes import EXIT_DONE, EXIT_NOT_DONE, UsageError
from lab.system.interrupts import interrupt_on_sigterm, run_until_interrupted

# heavy modules are imported only when a command needs them
if TYPE_CHECKING:
    from lab.scaling.storm_results import Storms

COLUMNS_WITHOUT_TERMINAL = 150
FEWEST_CLIENTS, MOST_CLIENTS, MOST_ROUNDS = 10, 10_000, 10


def add_command(commands: Any) -> None:
    """Adds `storm` to the commands of `lab`."""
    storm = commands.add_parser(
        "storm",
        help="restart a server with 2,000 clients, and measure how they come back",
        description="Restarts the good server while all clients are connected: with and without jitter in the clients'"
        " delays, with and without admission control, in turn. It takes a few minutes and stops by itself. Exit code 1"
        " when a client did not come back in time.",
        epilog="example: lab storm --clients 500 --rounds 1 --json storm.json",
    )
    storm.add_argument("--clients", metavar="N", type=int, default=2000, help="how many clients, by default 2000")
    storm.add_argument("--rounds", metavar="N", type=int, default=2, help="storms of each kind, by default 2")
    storm.add_argument("--json", metavar="FILE", type=Path, help="write the results as JSON")
    storm.add_argument("--figure", metavar="FILE", type=Path, help="write the results as a figure (PNG)")
    storm.set_defaults(run=_storm)


def _storm(options: argparse.Namespace) -> int:
    if not FEWEST_CLIENTS <= options.clients <= MOST_CLIENTS:
        raise UsageError(f"--clients: {options.clients} is not a number from {FEWEST_CLIENTS} to {MOST_CLIENTS:,}")
    if not 1 <= options.rounds <= MOST_ROUNDS:
        raise UsageError(f"--rounds: {options.rounds} is not a number from 1 to {MOST_ROUNDS}")
    results.check_outputs((options.json, options.figure))
    if options.figure is not None:
        results.check_drawing()
    found = _measure(options)
    _print(found)
    results.write(_outputs(found, options))
    return EXIT_NOT_DONE if any(run.missing for run in found.runs) else EXIT_DONE


def _measure(options: argparse.Namespace) -> "Storms":
    from lab.bench.crowd import LoadError
    from lab.scaling.storm import check_open_files, storms
    from lab.servers.probe_client import SilentServerError
    from lab.servers.process import ServerError

    check_open_files(options.clients)
    interrupt_on_sigterm()

    def print_progress(line: str) -> None:
        # nobody may read it, and the measurement goes on
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr, flush=True)

    work = storms(clients=options.clients, rounds=options.rounds, on_progress=print_progress)
    try:
        return run_until_interrupted(work)
    except (LoadError, ServerError, SilentServerError) as error:
        raise UsageError(f"the measurement failed: {error}") from None


def _print(found: "Storms") -> None:
    from rich.table import Table

    from lab.scaling import storm_report
    from lab.scaling.costs_file import machine

    head, *rows = storm_report.rows(found)
    grid = Table(header_style="bold")
    for name in head:
        grid.add_column(name, justify="right" if name else "left")
    for row in rows:
        grid.add_row(*row)
    results.show(
        grid,
        f"{found.clients:,} clients, admission at {found.connects_per_second:,} connects per second, medians of the"
        f" rounds; on {machine()}.",
        storm_report.CLIENTS,
        *storm_report.statements(found),
        columns=COLUMNS_WITHOUT_TERMINAL,
    )


def _outputs(found: "Storms", options: argparse.Namespace) -> list[results.Output]:
    from lab.figures.bars import as_png
    from lab.scaling import storm_report
    from lab.scaling.costs_file import machine

    outputs: list[results.Output] = []
    if options.json is not None:
        outputs.append((options.json, lambda: storm_report.as_json(found, machine())))
    if options.figure is not None:
        outputs.append((options.figure, lambda: as_png(storm_report.draw(found), dots_per_inch=110)))
    return outputs
