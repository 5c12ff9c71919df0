"""The command `lab check`: finds ten known mistakes in Socket.IO code. The package `bad_server` has all ten."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.cli import results
from lab.system.exit_codes import EXIT_DONE, UsageError

# A usage error should not wait for modules that only a check needs.
if TYPE_CHECKING:
    from lab.check.result import Result

FORMATS = ("text", "json", "sarif", "github")
# as in `lab.check.dialects`, which a usage error should not load
APIS = ("node", "nest", "python-socketio", "flask")


def add_command(commands: Any) -> None:
    """Adds `check` to the commands of `lab`."""
    check = commands.add_parser(
        "check",
        help="find the ten mistakes in your own Socket.IO code",
        description="Reads Socket.IO servers in JavaScript, TypeScript and Python. Exit code 1 when there are errors.",
        epilog="example: lab check src --select 01,02,RM08; lab check . --since main --format github",
    )
    check.add_argument("paths", metavar="PATH", type=Path, nargs="*", help="a folder or file to check")
    check.add_argument("--format", choices=FORMATS, default="text", help="the form of the report (default: text)")
    rules_help = "rules: ids, beginnings of ids (RM02), mistakes (02), separated by commas"
    check.add_argument("--select", metavar="RULES", help=f"ask only these {rules_help}")
    check.add_argument("--ignore", metavar="RULES", help="do not ask these rules")
    check.add_argument("--strict", action="store_true", help="exit code 1 for warnings and unreadable files, too")
    since_help = "report only changed lines of the working tree, and joins that were removed, against a git commit"
    check.add_argument("--since", metavar="REF", help=since_help)
    check.add_argument("--baseline", metavar="FILE", type=Path, help="report only what is not in this file")
    check.add_argument("--write-baseline", metavar="FILE", type=Path, help="write all findings, as known ones")
    check.add_argument("--no-accounts", action="store_true", help="the app has no accounts: ask nothing about identity")
    check.add_argument("--explain", metavar="RULE", help="print the page of a rule, such as RM021")
    check.add_argument("--api", choices=APIS, help="with --explain: only the examples of this API")
    check.add_argument("--list", action="store_true", help="print a table of all rules")
    readme_help = "update the example and the rules in the repository's README.md"
    check.add_argument("--readme", action="store_true", help=readme_help)
    check.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    if options.api is not None and options.explain is None:
        raise UsageError("--api needs --explain RULE")
    if options.list or options.explain is not None:
        return _show_rules(options.explain, options.api)
    if options.readme:
        return _renew_readme()
    if not options.paths:
        raise UsageError("the following arguments are required: PATH; see lab check --help")
    if options.write_baseline is not None:
        results.check_outputs([options.write_baseline])
    result = _run(options)
    _warn(result)
    _report(result, options)
    return result.exit_code(strict=options.strict)


def _show_rules(explained: str | None, api: Any) -> int:
    from lab.check import explain
    from lab.check.choose import rule_named
    from lab.check.own_rules import every_rule

    rules = every_rule()
    if explained is None:
        _print(explain.table(rules))
        return EXIT_DONE
    rule = rule_named(rules, explained)
    if api is not None and api not in rule.fix:
        raise UsageError(f"--api: {rule.id} has no examples for {api}; it has {', '.join(rule.fix)}")
    _print(explain.page(rule, api=api))
    return EXIT_DONE


def _renew_readme() -> int:
    from lab.check.readme import renew
    from lab.report.readme_table import ReadmeError

    try:
        readme = renew()
    except ReadmeError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"cannot write README.md: {error.strerror}") from None
    _print(f"{readme} is up to date\n")
    return EXIT_DONE


def _run(options: argparse.Namespace) -> "Result":
    from lab.check.result import Options
    from lab.check.run import check
    from lab.cli.check_progress import CheckProgress
    from lab.system.interrupts import interrupt_on_sigterm

    interrupt_on_sigterm()
    asked = Options(
        select=options.select,
        ignore=options.ignore,
        since=options.since,
        baseline=options.baseline,
        write_baseline=options.write_baseline,
        accounts=not options.no_accounts,
    )
    with CheckProgress() as display:
        return check(options.paths, asked, display.progress)


def _warn(result: "Result") -> None:
    lines = [f"lab: cannot read {path}: {reason}" for path, reason in result.unreadable]
    _print("".join(f"{line}\n" for line in (*lines, *(f"lab: {line}" for line in result.failures))), sys.stderr)


def _report(result: "Result", options: argparse.Namespace) -> None:
    from lab.check import report_github, report_json, report_sarif

    if options.format == "text":
        from lab.check.report_text import as_text

        report = as_text(result, [str(path) for path in options.paths])
        _print(report if _may_style() else report.plain)
        return
    write = {"json": report_json.as_json, "sarif": report_sarif.as_sarif, "github": report_github.as_github}
    _print(write[options.format](result))


def _may_style() -> bool:
    # https://no-color.org
    return sys.stdout is not None and sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _print(text: Any, stream: Any = None) -> None:
    """Prints a report, on stdout if no stream is given.

    If the program that reads the output has ended, as in `lab check | head`, no error is raised.
    """
    stream = sys.stdout if stream is None else stream
    if stream is None:
        return
    try:
        if hasattr(stream, "reconfigure"):
            # names of files may be no valid Unicode, and a terminal may not know all characters
            stream.reconfigure(errors="backslashreplace")
        if isinstance(text, str):
            stream.write(text)
        else:
            _print_styled(text, stream)
        stream.flush()
    except BrokenPipeError:
        results.discard(stream)
    except OSError as error:
        results.discard(stream)
        raise UsageError(f"cannot write the report: {error.strerror}") from None


def _print_styled(text: Any, stream: Any) -> None:
    from rich.console import Console

    class FailingConsole(Console):
        def on_broken_pipe(self) -> None:
            # the original ends the program with its own exit code
            raise

    FailingConsole(file=stream, highlight=False, soft_wrap=True).print(text, end="", emoji=False)
