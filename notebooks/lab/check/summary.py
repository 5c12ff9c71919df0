"""Makes the last lines of a report of `lab check`.

They include one line for each of the ten mistakes that the checker looks for.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from lab.check.mistakes import MISTAKES, Mistake
from lab.check.model import Finding, Level
from lab.check.result import Result

LEVELS: tuple[Level, ...] = ("error", "warning", "question")


def mistake_lines(result: Result) -> list[tuple[str, str, str]]:
    """Return the number, the name and the verdict of each mistake.

    There are ten mistakes. A verdict says what the checker found of the mistake, such as `not found`.
    """
    return [(mistake.number, mistake.name, _verdict(result, mistake)) for mistake in MISTAKES]


def _verdict(result: Result, mistake: Mistake) -> str:
    found = [finding for finding in result.findings if finding.mistake == mistake.number]
    hidden = Counter(reason for reason, finding in result.hidden if finding.mistake == mistake.number)
    besides = "".join(f", {count} {reason}" for reason, count in hidden.items())
    if found:
        return f"found: {counts(found)} ({', '.join(sorted({finding.rule for finding in found}))}){besides}"
    if hidden:
        return f"nothing more: {besides.removeprefix(', ')}"
    if not any(rule.mistake == mistake.number for rule in result.rules):
        return "not asked"
    if mistake.is_static:
        return "not found"
    return f"cannot be seen in the code alone; {mistake.measure} measures it on this kit's servers"


def counts(findings: Iterable[Finding]) -> str:
    """Return the number of findings by level: "2 errors, 1 warning"."""
    levels = Counter(finding.level for finding in findings)
    parts = [f"{levels[level]} {level}{'s' if levels[level] > 1 else ''}" for level in LEVELS if levels[level]]
    return ", ".join(parts) or "nothing found"


def by_level(findings: Iterable[Finding]) -> list[Finding]:
    """Return the errors, then the warnings, then the questions.

    Errors fail the check, so they come first. A question is a finding that asks what only the author of the code knows.
    The findings of one level keep their order.
    """
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))


def explain_command(finding: Finding) -> str:
    """Return the command that explains the rule of a finding."""
    return f"lab check --explain {finding.rule} --api {finding.dialect}"


def first_to_fix(result: Result) -> str:
    """Return the line that says which finding to fix first.

    It names the first error, else the first warning, else the first question. Returns "" if nothing was found.
    """
    first = next(iter(by_level(result.findings)), None)
    if first is None:
        return ""
    return f"begin with the first {first.level} above: {first.rule} at {first.path}:{first.line}"


def last_line(result: Result) -> str:
    """Return the last line of a report, with its totals.

    It says how many files were checked, how long that took, and how many findings there are.
    """
    line = f"{_number(result.files, 'file')} checked in {result.seconds:.1f} s: {counts(result.findings)}"
    if result.hidden:
        by_reason = Counter(reason for reason, _ in result.hidden)
        line += f" ({', '.join(f'{count} {reason}' for reason, count in by_reason.items())})"
    if result.unreadable:
        line += f"; {_number(len(result.unreadable), 'file')} not read in full"
    return line


def not_concerned(result: Result, paths: Sequence[str]) -> str:
    """Return the report's only line when the checked code has no Socket.IO."""
    return f"{_number(result.files, 'file')} checked in {result.seconds:.1f} s: no Socket.IO in {', '.join(paths)}"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
