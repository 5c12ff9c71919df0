"""The command `lab compare`: compares `bad_server`, which has ten mistakes, with `good_server`."""

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.cli import results
from lab.system.exit_codes import EXIT_DONE, EXIT_NOT_DONE, UsageError
from lab.system.interrupts import interrupt_on_sigterm, run_until_interrupted

# Heavy modules are imported only when a command needs them: a usage error should not take two seconds.
if TYPE_CHECKING:
    from lab.compare.comparison import Comparison
    from lab.results.claims import Claim

# wide enough for the table, when the output is not a terminal
COLUMNS_WITHOUT_TERMINAL = 120
# the allowed numbers of processes per side
WORKERS = (1, 2)


def add_command(commands: Any) -> None:
    """Adds `compare` to the commands of `lab`."""
    compare = commands.add_parser(
        "compare",
        help="run the experiments against the bad and the good server and compare",
        description="Runs the ten experiments against both servers. Exit code 0 when every claim is shown, else 1.",
        epilog="example: lab compare --only 03,06 --json out.json --html out.html; with Redis: lab compare --workers 2",
    )
    compare.add_argument("--only", metavar="IDS", help="a comma-separated list of claims, 01 to 10")
    compare.add_argument("--json", metavar="FILE", type=Path, help="write the results as JSON")
    compare.add_argument("--html", metavar="FILE", type=Path, help="write one self-contained HTML page with figures")
    readme_help = "update the rows in the repository's README.md, and the costs that lab check quotes"
    compare.add_argument("--readme", action="store_true", help=readme_help)
    compare.add_argument(
        "--seed", metavar="N", type=int, default=7, help="the seed of every random choice (default: 7)"
    )
    workers_help = "processes per side, 1 or 2; with 2 it uses Redis and also measures before any cut (default: 1)"
    compare.add_argument("--workers", metavar="N", type=int, default=1, help=workers_help)
    compare.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> int:
    claims = _choose(options.only)
    _check_workers(options)
    readme = _find_readme(options) if options.readme else None
    results.check_outputs((options.json, options.html, readme, _costs(readme)))
    if options.html is not None:
        results.check_drawing()

    comparison = _run(claims, options.seed, options.workers)
    _record_for_quiz(comparison)
    results.write(_outputs(comparison, options, readme))
    return EXIT_DONE if comparison.is_shown else EXIT_NOT_DONE


def _record_for_quiz(comparison: "Comparison") -> None:
    """Saves the measured values for `lab quiz`, whose answers quote them.

    If that fails, the function prints why.
    """
    from lab.interview.last_numbers import LastNumbersError, record_comparison

    try:
        record_comparison(comparison, today=datetime.now().astimezone().date())
    except LastNumbersError as error:
        print(f"lab: the numbers are not kept for lab quiz: {error}", file=sys.stderr)


def _outputs(comparison: "Comparison", options: argparse.Namespace, readme: Path | None) -> list[results.Output]:
    from lab.report.json_document import as_json
    from lab.report.readme_table import with_rows

    outputs: list[results.Output] = []
    if options.json is not None:
        outputs.append((options.json, lambda: as_json(comparison)))
    if readme is not None:
        outputs.append((readme, lambda: with_rows(readme, comparison)))
    if (costs := _costs(readme)) is not None:
        from lab.check.cost_document import document_of

        outputs.append((costs, lambda: document_of(comparison, costs)))
    if readme is not None:
        from lab.check.readme import with_example

        # after the costs, because the README's example of `lab check` quotes them
        outputs.append((readme, lambda: with_example(readme.read_text("utf-8"), readme.parent).encode()))
    if options.html is not None:
        from lab.report.html_page import as_html

        outputs.append((options.html, lambda: as_html(comparison).encode()))
    return outputs


def _costs(readme: Path | None) -> Path | None:
    """Returns the path of the file with the measured damage, or None.

    The file says how much damage each mistake does, such as a share of lost messages. `lab check` quotes it. The
    file is in the repository of `readme`. The result is None if `readme` is None or the folder of the file is missing.
    """
    from lab.check.cost import costs_beside

    costs = costs_beside(readme) if readme is not None else None
    return costs if costs is not None and costs.parent.is_dir() else None


def _choose(only: str | None) -> "list[Claim]":
    from lab.results.claims import ClaimsError, load_claims

    try:
        claims = {claim.id: claim for claim in load_claims()}
    except ClaimsError as error:
        raise UsageError(str(error)) from None
    if only is None:
        return list(claims.values())
    wanted = [word.strip() for word in only.split(",")]
    unknown = [word for word in wanted if word not in claims]
    if unknown:
        raise UsageError(f"--only: there is no claim {unknown[0]!r}; there are {', '.join(claims)}")
    return [claim for claim in claims.values() if claim.id in wanted]


def _check_workers(options: argparse.Namespace) -> None:
    if options.workers not in WORKERS:
        raise UsageError(f"--workers: {options.workers} is not supported; choose {' or '.join(map(str, WORKERS))}")
    if options.workers == 1:
        return
    if options.readme:
        raise UsageError("--readme writes the rows of one process: leave --workers out")
    from lab.servers.redis import redis_program

    redis_program()


def _find_readme(options: argparse.Namespace) -> Path:
    from lab.report.readme_table import ReadmeError, find_readme

    if options.only is not None:
        raise UsageError("--readme writes all ten rows: leave --only out")
    try:
        return find_readme()
    except ReadmeError as error:
        raise UsageError(str(error)) from None


def _run(claims: "list[Claim]", seed: int, workers: int) -> "Comparison":
    from lab.cli.progress_bar import CompareProgress
    from lab.compare.runner import compare
    from lab.report import terminal
    from lab.system.open_files import raise_open_files

    interrupt_on_sigterm()
    warning = raise_open_files()
    if warning is not None:
        print(warning, file=sys.stderr)
    with CompareProgress(len(claims)) as display:
        measuring = compare(claims, seed=seed, workers=workers, progress=display.progress, finished=display.finished)
        comparison = run_until_interrupted(measuring)
    tables = [terminal.table(comparison)]
    if comparison.before_any_cut:
        tables.append(terminal.before_any_cut(comparison))
    results.show(*tables, *terminal.remarks(comparison), columns=COLUMNS_WITHOUT_TERMINAL)
    return comparison
