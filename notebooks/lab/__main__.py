"""The command line: `lab compare` measures both servers, side by side."""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

# What is heavy is imported when a command needs it: a wrong word should not cost two seconds.
if TYPE_CHECKING:
    from lab.claims import Claim
    from lab.compare import Comparison

EXIT_SHOWN, EXIT_NOT_SHOWN, EXIT_WRONG_USE, EXIT_INTERRUPTED = 0, 1, 2, 130


class UsageError(Exception):
    """A user's mistake; the message is one line that says what is wrong and what would be right."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def main(arguments: list[str] | None = None) -> int:
    """Runs a command and returns its exit code."""
    try:
        options = _parser().parse_args(arguments)
        code: int = options.run(options)
    except UsageError as error:
        print(f"lab: {error}", file=sys.stderr)
        return EXIT_WRONG_USE
    except KeyboardInterrupt:
        print("lab: interrupted; every server is stopped", file=sys.stderr)
        return EXIT_INTERRUPTED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="lab",
        description="Measures ten Socket.IO mistakes and their room-based fixes.",
        epilog="example: lab compare --only 01,06",
    )
    commands = parser.add_subparsers(required=True, metavar="command", parser_class=_Parser)
    compare = commands.add_parser(
        "compare",
        help="run the experiments against the bad and the good server and compare",
        description="Runs the ten experiments against both servers. Exit 0 when every claim is shown, else 1.",
        epilog="example: lab compare --only 03,06 --json out.json --html out.html",
    )
    compare.add_argument("--only", metavar="IDS", help="a comma-separated list of claims, 01 to 10")
    compare.add_argument("--json", metavar="FILE", type=Path, help="write the results as JSON")
    compare.add_argument("--html", metavar="FILE", type=Path, help="write one self-contained page with figures")
    compare.add_argument("--readme", action="store_true", help="renew the table in the repository's README.md")
    compare.add_argument("--seed", metavar="N", type=int, default=7, help="the seed of every random choice (7)")
    compare.set_defaults(run=_compare)
    return parser


def _compare(options: argparse.Namespace) -> int:
    from lab import report

    claims = _chosen(options.only)
    for path in filter(None, (options.json, options.html)):
        _check_writable(path)
    try:
        readme = report.find_readme() if options.readme else None
    except report.ReadmeError as error:
        raise UsageError(str(error)) from None

    comparison = _run(claims, options.seed)
    if options.json is not None:
        report.write(options.json, report.as_json(comparison))
    if options.html is not None:
        from lab import page

        report.write(options.html, page.as_html(comparison).encode())
    if readme is not None:
        report.write_readme(readme, comparison)
    return EXIT_SHOWN if comparison.is_shown else EXIT_NOT_SHOWN


def _chosen(only: str | None) -> "list[Claim]":
    from lab.claims import load_claims

    claims = {claim.id: claim for claim in load_claims()}
    if only is None:
        return list(claims.values())
    wanted = [word.strip() for word in only.split(",")]
    unknown = [word for word in wanted if word not in claims]
    if unknown:
        raise UsageError(f"--only: there is no claim {unknown[0]!r}; there are {', '.join(claims)}")
    return [claim for claim in claims.values() if claim.id in wanted]


def _check_writable(path: Path) -> None:
    """Before the run, not after it."""
    if path.is_dir():
        raise UsageError(f"cannot write {path}: it is a folder; name a file")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise UsageError(f"cannot write {path}: {os.strerror(error.errno or 0)}; name a file that can be") from None


def _run(claims: "list[Claim]", seed: int) -> "Comparison":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from lab import report
    from lab.compare import compare
    from lab.limits import raise_open_files

    console = Console()
    news = Console(stderr=True)
    warning = raise_open_files()
    if warning is not None:
        news.print(warning)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=news, transient=True, disable=not news.is_terminal) as bar:
        task = bar.add_task("starting", total=len(claims))
        states: dict[str, str] = {}

        def progress(claim: "Claim", state: str) -> None:
            is_done = state in report.WORDS
            states[claim.id] = state
            running = [id for id, state in states.items() if state not in report.WORDS]
            bar.update(task, advance=is_done, description=f"running {', '.join(sorted(running)) or '…'}")
            if is_done and not news.is_terminal:
                news.print(f"{claim.id} {claim.slug}: {report.WORDS[state]}", highlight=False)

        comparison = asyncio.run(compare(claims, seed=seed, progress=progress))
    console.print(report.table(comparison))
    for line in report.remarks(comparison):
        console.print(line, highlight=False)
    return comparison


if __name__ == "__main__":
    sys.exit(main())
