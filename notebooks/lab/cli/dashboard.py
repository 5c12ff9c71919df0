"""The command `lab dashboard`: draws the graphs of the Grafana dashboard. The command runs `good_server` under load."""

import argparse
import sys
from pathlib import Path
from typing import Any

from lab.cli import results
from lab.system.exit_codes import EXIT_DONE, UsageError
from lab.system.interrupts import interrupt_on_sigterm, run_until_interrupted

# 8 inches at this density are 1,000 pixels, and readable at 800
DOTS_PER_INCH = 125


def add_command(commands: Any) -> None:
    """Adds `dashboard` to the commands of `lab`."""
    dashboard = commands.add_parser(
        "dashboard",
        help="draw the Grafana dashboard's queries after a load run",
        description="Runs the good server under load for three minutes, with slow consumers and a restart. A real"
        " Prometheus scrapes it, is asked the queries of good_server/deploy/dashboard.json, and its answers are drawn."
        " Needs prometheus.",
        epilog="example: lab dashboard .github/dashboard.png",
    )
    dashboard.add_argument("file", metavar="FILE", type=Path, help="the picture (PNG)")
    dashboard.set_defaults(run=_dashboard)


def _dashboard(options: argparse.Namespace) -> int:
    results.check_outputs((options.file,))
    # heavy modules are imported only when a command needs them
    from lab.bench.crowd import LoadError
    from lab.scaling.dashboard_load import Schedule
    from lab.scaling.dashboard_run import observe, prometheus_program
    from lab.servers.probe_client import SilentServerError
    from lab.servers.process import ServerError

    prometheus_program()
    results.check_drawing()
    interrupt_on_sigterm()
    schedule = Schedule()
    print(f"lab: a load run of {schedule.ends_at:.0f} s", file=sys.stderr)
    try:
        observed = run_until_interrupted(observe(schedule))
    except (LoadError, ServerError, SilentServerError) as error:
        raise UsageError(f"the run failed: {error}") from None

    def picture() -> bytes:
        from lab.figures.bars import as_png
        from lab.scaling.dashboard_picture import draw

        return as_png(draw(observed), dots_per_inch=DOTS_PER_INCH)

    results.write([(options.file, picture)])
    return EXIT_DONE
