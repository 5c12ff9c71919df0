"""The report for a person.

It has a block per finding, then one line per mistake.
"""

import unicodedata
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text

from lab.check.ir import Source
from lab.check.model import Finding
from lab.check.result import Result
from lab.check.summary import last_line, mistake_lines, more, not_concerned

STYLES = {"error": "bold red", "warning": "bold yellow", "question": "bold cyan"}
INDENT = "  "
# of a longer line only the part around the column is shown
LONGEST_LINE = 100
BEFORE_COLUMN = 40
CUT = "…"


def as_text(result: Result, paths: Sequence[str]) -> Text:
    """Return the report for a terminal, with colours and bold text.

    The styles only repeat what the words say. `paths` are the checked paths; the report names them if their code does
    not use Socket.IO.
    """
    report = Text()
    if not result.concerned and not result.findings:
        return report.append(f"{not_concerned(result, paths)}\n")
    titles = {rule.id: rule.title for rule in result.rules}
    for finding in result.findings:
        for part, style in _block(finding, titles[finding.rule], result.sources.get(finding.path)):
            report.append(part, style)
    for number, name, verdict in mistake_lines(result):
        style = "bold" if verdict.startswith("found") else "dim"
        report.append(f"{number} {name:<25} ").append(f"{verdict}\n", style)
    if line := more(result):
        report.append(f"\n{line}\n", "dim")
    return report.append(f"\n{last_line(result)}\n", "bold")


def _block(finding: Finding, title: str, source: Source | None) -> Iterator[tuple[str, str]]:
    yield f"{printable(finding.path)}:{finding.line}:{finding.column}", "bold"
    yield f" {finding.rule} ", ""
    yield finding.level, STYLES[finding.level]
    yield f"  {title}\n", ""
    if source is not None and 0 < finding.line <= len(source.lines):
        yield from _excerpt(finding, source.lines[finding.line - 1])
    for name, text in (("", finding.message), ("cost", finding.cost), ("fix", finding.fix), ("lesson", finding.lesson)):
        if text and text != title:
            yield f"{INDENT}{name}: " if name else INDENT, "dim"
            yield f"{printable(text)}\n", ""
    yield "\n", ""


def _excerpt(finding: Finding, line: str) -> Iterator[tuple[str, str]]:
    """Yield the line of source with a caret below the column."""
    line = line.rstrip()
    start = max(0, finding.column - 1 - BEFORE_COLUMN) if len(line) > LONGEST_LINE else 0
    before, after = line[start : finding.column - 1], line[finding.column - 1 : start + LONGEST_LINE]
    before = (CUT if start else "") + printable(before if start else before.lstrip())
    after = printable(after) + (CUT if start + LONGEST_LINE < len(line) else "")
    number = str(finding.line)
    yield f"{INDENT}{number} | ", "dim"
    yield f"{before}{after}\n", ""
    yield f"{INDENT}{' ' * len(number)} | ", "dim"
    # wide characters take two places in a terminal
    yield f"{' ' * cell_len(before)}^\n", STYLES[finding.level]


def printable(text: str) -> str:
    """Return a text without characters that control a terminal."""
    return "".join(_printable(character) for character in text)


def _printable(character: str) -> str:
    if character == "\t":
        return "  "
    # controls, formats such as right-to-left marks, and bytes that were no valid Unicode
    return "?" if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else character
