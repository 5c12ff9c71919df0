"""Writes the checker's report as workflow commands of GitHub Actions.

A workflow command is a printed line such as `::error file=a.py,line=3::text`. GitHub shows its text beside the code.
The format and its escape sequences are described at
https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from lab.check.base import from_working_folder
from lab.check.cost import first_sentence
from lab.check.model import Finding, Rule
from lab.check.result import Result
from lab.check.summary import by_level, explain_command, last_line

COMMANDS = {"error": "error", "warning": "warning", "question": "notice"}
# a percent sign begins an escape; a line break would end the command
MESSAGE = {"%": "%25", "\r": "%0D", "\n": "%0A"}
PROPERTY = MESSAGE | {":": "%3A", ",": "%2C"}


def as_github(result: Result) -> str:
    """Return one annotation per finding, then a line of summary.

    An annotation is a line such as `::error file=a.py,line=3::text`, and GitHub shows its text beside the code. Errors
    come first, because GitHub shows only the first annotations of a step. An unreadable file has an annotation, too.
    Paths are relative to the working folder, which is the repository in a workflow.
    """
    titles = {rule.id: rule for rule in result.rules}
    lines = [_annotation(result, finding, titles[finding.rule]) for finding in by_level(result.findings)]
    for path, reason in result.unreadable:
        file = _property(from_working_folder(result.base, path))
        lines.append(f"::warning file={file},title=lab check::{_message(f'not checked: {reason}')}")
    return "\n".join([*lines, f"lab check: {last_line(result)}", ""])


def _annotation(result: Result, finding: Finding, rule: Rule) -> str:
    properties = {
        "file": from_working_folder(result.base, finding.path),
        "line": str(finding.line),
        "endLine": str(finding.end_line),
        "title": f"{finding.rule} {rule.title}",
    }
    if finding.line == finding.end_line:
        # GitHub refuses a column if there are several lines
        properties["col"] = str(finding.column)
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    why = first_sentence(rule.why)
    parts = [finding.message, why, finding.cost if finding.cost != why else "", f"Fix: {finding.fix}"]
    text = "\n".join(part for part in (*parts, f"More: {explain_command(finding)}") if part)
    return f"::{COMMANDS[finding.level]} {written}::{_message(text)}"


def _message(text: str) -> str:
    return "".join(MESSAGE.get(character, character) for character in text)


def _property(text: str) -> str:
    return "".join(PROPERTY.get(character, character) for character in text)
