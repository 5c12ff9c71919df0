"""The command `lab plan`: calculates how many server processes a fleet needs.

The drivers of the fleet report their positions to the server. The command also recommends settings for each process.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.cli import results
from lab.system.exit_codes import EXIT_DONE, UsageError
from lab.system.interrupts import interrupt_on_sigterm, run_until_interrupted

# heavy modules are imported only when a command needs them
if TYPE_CHECKING:
    from rich.table import Table

    from lab.scaling.capacity import Assumed, Plan
    from lab.scaling.costs_file import MeasuredCosts
    from lab.scaling.recommend import Recommendation

COLUMNS_WITHOUT_TERMINAL = 150
MOST_DRIVERS = 1_000_000_000


def add_command(commands: Any) -> None:
    """Adds `plan` to the commands of `lab`."""
    plan = commands.add_parser(
        "plan",
        help="processes, memory and settings for a number of drivers, from measured costs",
        description="Measures what an event, a delivery and a connection cost on this machine (about a minute, needs"
        " redis-server), and calculates how many server processes a fleet needs, and with which settings.",
        epilog="example: lab plan --drivers 10000 --json plan.json; later, without measuring again:"
        " lab plan --drivers 50000 --costs plan.json",
    )
    plan.add_argument("--drivers", metavar="N", type=int, required=True, help="how many drivers report positions")
    plan.add_argument("--costs", metavar="FILE", type=Path, help="use the costs in a file of --json; measure nothing")
    plan.add_argument("--positions-per-second", metavar="X", type=float, help="of each driver, by default 0.5")
    plan.add_argument("--watchers-per-driver", metavar="X", type=float, help="who sees a position, by default 3")
    plan.add_argument("--core-share", metavar="X", type=float, help="the planned load of a core, by default 0.5")
    plan.add_argument("--json", metavar="FILE", type=Path, help="write the plan and the measured costs as JSON")
    plan.set_defaults(run=_plan)


def _plan(options: argparse.Namespace) -> int:
    _check(options)
    results.check_outputs((options.json,))
    from lab.scaling import capacity, costs_file, recommend

    given = {name: getattr(options, name) for name in ("positions_per_second", "watchers_per_driver", "core_share")}
    assumed = capacity.Assumed(**{name: value for name, value in given.items() if value is not None})
    measured = costs_file.read_costs(options.costs) if options.costs is not None else _measure()
    try:
        plans = capacity.plans(capacity.Measured.of(measured.costs), assumed, [options.drivers])
    except ValueError as error:
        raise UsageError(f"no plan for {options.drivers:,} drivers: {error}") from None
    settings = recommend.recommendations(plans[-1], measured.costs, assumed)
    _print(measured, assumed, plans, settings)
    if options.json is not None:
        results.write([(options.json, lambda: costs_file.as_json(measured, assumed, plans, settings))])
    return EXIT_DONE


def _check(options: argparse.Namespace) -> None:
    """Raises `UsageError` when an option's number is out of range."""
    if not 1 <= options.drivers <= MOST_DRIVERS:
        raise UsageError(f"--drivers: {options.drivers} is not a number from 1 to {MOST_DRIVERS:,}")
    for name, most in (("positions_per_second", 100.0), ("watchers_per_driver", 10_000.0), ("core_share", 0.95)):
        value = getattr(options, name)
        # a NaN is in no range
        if value is not None and not 0 < value <= most:
            raise UsageError(f"--{name.replace('_', '-')}: {value:g} is not a number above 0 and up to {most:g}")


def _measure() -> "MeasuredCosts":
    from lab.bench.crowd import LoadError
    from lab.scaling.costs_file import measure_costs
    from lab.servers.probe_client import SilentServerError
    from lab.servers.process import ServerError
    from lab.servers.redis import redis_program

    # known before the measurement
    redis_program()
    interrupt_on_sigterm()
    print("lab: measuring on this machine, which takes about a minute", file=sys.stderr)
    try:
        return run_until_interrupted(measure_costs())
    except (LoadError, ServerError, SilentServerError, TimeoutError) as error:
        raise UsageError(f"the measurement failed: {error}") from None


def _print(
    measured: "MeasuredCosts", assumed: "Assumed", plans: "list[Plan]", settings: "list[Recommendation]"
) -> None:
    from rich.table import Table

    from lab.scaling import capacity
    from lab.scaling.load import TEXT_LETTERS

    grid = Table(header_style="bold")
    for name in capacity.HEAD:
        grid.add_column(name, justify="left" if name == "limited by" else "right")
    for planned in plans:
        grid.add_row(*capacity.row(planned))
    costs = measured.costs
    results.show(
        grid,
        f"Measured on {measured.machine}, at {measured.measured_at}: µs of CPU per event {1e6 * costs.event:.0f},"
        f" delivery {1e6 * costs.delivery:.2f}, connect {1e6 * costs.connect:.0f}, emit from Redis"
        f" {1e6 * costs.receive:.0f}; {costs.memory_bytes_per_connection / 1024:.0f} KiB per connection.",
        f"Assumed: {assumed.positions_per_second:g} positions/s per driver, {assumed.watchers_per_driver:g} watchers"
        f" per driver, one watcher connection per {1 / assumed.watchers_per_connection:g} drivers, a delivery"
        f" as large as a chat message of {TEXT_LETTERS} letters, cores loaded to {assumed.core_share:.0%}."
        " Kernel, TLS and network are not included.",
        _settings_table(settings),
        columns=COLUMNS_WITHOUT_TERMINAL,
    )


def _settings_table(settings: "list[Recommendation]") -> "Table":
    from rich.table import Table

    grid = Table(header_style="bold")
    grid.add_column("setting of each process", no_wrap=True)
    grid.add_column("value", justify="right", no_wrap=True)
    grid.add_column("computation")
    for one in settings:
        grid.add_row(one.setting, str(one.value), one.computation)
    return grid
