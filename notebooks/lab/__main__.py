"""Command line of the lab, with one subcommand per module of `lab.cli`."""

import argparse
import sys

from lab.cli import bench, check, compare, dashboard, diagnose, exercises, learn, live, notebooks, plan, quiz, storm
from lab.system.exit_codes import EXIT_INTERRUPTED, EXIT_WRONG_USE, Parser, UsageError


def main(arguments: list[str] | None = None) -> int:
    """Run a command of the lab and return its exit code."""
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
    parser = Parser(
        prog="lab",
        description="Measures ten Socket.IO mistakes and their room-based fixes.",
        epilog="example: lab compare --only 01,06",
    )
    commands = parser.add_subparsers(required=True, metavar="command", parser_class=Parser)
    for command in (compare, learn, live, exercises, diagnose, quiz, check, bench, plan, storm, dashboard, notebooks):
        command.add_command(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
