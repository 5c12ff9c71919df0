"""Writes the checker's report as text for a terminal.

The report has one block per finding, with errors first. Then it has one line for each of the ten mistakes that
the checker looks for. The line says whether the mistake was found.
"""

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text

from lab.check.cost import first_sentence
from lab.check.ir import Source
from lab.check.model import Finding, Rule
from lab.check.result import Result
from lab.check.summary import by_level, explain_command, first_to_fix, last_line, mistake_lines, not_concerned

STYLES = {"error": "bold red", "warning": "bold yellow", "question": "bold cyan"}
INDENT = "  "
# prose is wrapped at this width, code is not
WIDTH = 110
# of a longer line only the part around the column is shown
LONGEST_LINE = 100
BEFORE_COLUMN = 40
CUT = "…"


def as_text(result: Result, paths: Sequence[str]) -> Text:
    """Return the report for a terminal, with colours and bold text.

    Colours and bold text add no information. `paths` are the checked paths. The report names the paths if their code
    does not use Socket.IO.
    """
    report = Text()
    if not result.concerned and not result.findings:
        return report.append(f"{not_concerned(result, paths)}\n")
    rules = {rule.id: rule for rule in result.rules}
    for finding in by_level(result.findings):
        for part, style in _block(finding, rules[finding.rule], result.sources.get(finding.path)):
            report.append(part, style)
    for number, name, verdict in mistake_lines(result):
        style = "bold" if verdict.startswith("found") else "dim"
        report.append(f"{number} {name:<25} ").append(f"{verdict}\n", style)
    if line := first_to_fix(result):
        report.append(f"\n{printable(line)}\n", "dim")
    return report.append(f"\n{last_line(result)}\n", "bold")


def _block(finding: Finding, rule: Rule, source: Source | None) -> Iterator[tuple[str, str]]:
    yield f"{printable(finding.path)}:{finding.line}:{finding.column}", "bold"
    yield f" {finding.rule} ", ""
    yield finding.level, STYLES[finding.level]
    yield f"  {rule.title}\n", ""
    if source is not None and 0 < finding.line <= len(source.lines):
        yield from _excerpt(finding, source.lines[finding.line - 1])
    for name, text in _texts(finding, rule):
        yield from _paragraph(name, text)
    yield "\n", ""


def _texts(finding: Finding, rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield the label and text of each paragraph about a finding.

    Labels are, for example, "why" and "fix"; the first label is "". In the report, the paragraphs follow the line of
    code.
    """
    why = first_sentence(rule.why)
    # the line alone may be no more than "socketId,"
    is_placed = not finding.function or finding.function in finding.message
    yield "", finding.message if is_placed else f"in {finding.function}: {finding.message}"
    yield "why", why
    # what is not measured has the reason as its cost
    if finding.cost != why:
        yield "cost", finding.cost
    yield "fix", finding.fix
    yield "more", f"{explain_command(finding)} (examples, and when it is no mistake)"
    if finding.lesson:
        yield "lesson", f"lab learn {finding.mistake}"


def _paragraph(name: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield the pieces of a labelled paragraph, each with its style.

    A style is, for example, "dim". `name` is the label. The first line of `text` is plain English, and the other lines
    are code.
    """
    if not text:
        return
    prose, *code = text.split("\n")
    label = f"{INDENT}{name}: " if name else INDENT
    lines = textwrap.wrap(
        printable(prose),
        WIDTH,
        initial_indent=label,
        subsequent_indent=INDENT * 2,
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield label, "dim"
    yield "\n".join(lines).removeprefix(label) + "\n", ""
    for line in code:
        yield f"{INDENT * 3}{printable(line)}\n", ""


def _excerpt(finding: Finding, line: str) -> Iterator[tuple[str, str]]:
    """Yield the finding's line of code, and a `^` below it.

    The `^` is below the column of the finding. `line` is the line of code. Each piece of text comes with its style,
    such as "dim".
    """
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
    """Replace the characters of a text that can control a terminal.

    A tab becomes two spaces. Any other such character becomes `?`.
    """
    return "".join(_printable(character) for character in text)


def _printable(character: str) -> str:
    if character == "\t":
        return "  "
    # controls, formats such as right-to-left marks, and bytes that were no valid Unicode
    return "?" if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else character
