"""Reads comments that suppress a finding: `lab: ignore[RM021] reason`."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lab.check.ir import Source
from lab.check.model import Finding

MARK = re.compile(r"\blab:\s*ignore\b[ \t]*(?:\[(?P<rules>[^\]\n]*)\])?(?P<reason>[^\n]*)")
# a line that has only a comment, in each language
ONLY_COMMENT = re.compile(r"\s*(?:#|//|/\*|\*|\{/\*)")
# what may stand before a reason, or after it at the end of a block comment
AROUND_REASON = " \t:-–—*/}"


@dataclass(frozen=True, slots=True)
class Suppression:
    """A comment that suppresses findings on one or two lines.

    Only findings of the rules in `rules` are suppressed.
    """

    path: str
    # the line of the comment
    line: int
    # the lines whose findings it suppresses
    lines: frozenset[int]
    rules: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Describes what is wrong with a comment that suppresses findings.

    For example, the comment suppresses nothing, or it names an unknown rule.
    """

    path: str
    line: int
    message: str


def suppressions(sources: Mapping[str, Source]) -> list[Suppression]:
    """Return all comments that suppress findings, as `Suppression` objects."""
    return [
        suppression
        for path, source in sources.items()
        for line, text in source.comments
        if "lab:" in text
        for suppression in _in_comment(path, line, text, source.lines)
    ]


def _in_comment(path: str, line: int, text: str, lines: Sequence[str]) -> Iterator[Suppression]:
    for mark in MARK.finditer(text):
        own = line + text.count("\n", 0, mark.start())
        rules = tuple(word.strip().upper() for word in (mark["rules"] or "").split(",") if word.strip())
        reason = mark["reason"].strip(AROUND_REASON)
        yield Suppression(path, own, _lines_of(own, lines), rules, reason)


def _lines_of(line: int, lines: Sequence[str]) -> frozenset[int]:
    """Return the numbers of the lines whose findings a comment suppresses.

    They are `line`, which is the line of the comment, and, if nothing else is on that line, the next line of code.
    """
    if not _has_only_comment(line, lines):
        return frozenset({line})
    below = line + 1
    # several suppressions may stand one below the other
    while _has_only_comment(below, lines):
        below += 1
    return frozenset({line, below})


def _has_only_comment(line: int, lines: Sequence[str]) -> bool:
    return 0 < line <= len(lines) and ONLY_COMMENT.match(lines[line - 1]) is not None


def apply(
    found: Sequence[Finding], written: Sequence[Suppression], *, known: Collection[str], asked: Collection[str]
) -> tuple[list[Finding], list[Finding], list[Problem]]:
    """Return the remaining findings, the suppressed findings and problems with comments.

    `written` has the comments that suppress findings. A problem is such a comment that is written wrongly or has no
    effect. `known` has the ids of all rules, and `asked` has the ids of the rules that ran. For a rule that did not
    run, a missing effect is no problem.
    """
    valid = [suppression for suppression in written if suppression.reason and suppression.rules]
    by_place: dict[tuple[str, int, str], list[int]] = {}
    for number, suppression in enumerate(valid):
        for line in suppression.lines:
            for rule in suppression.rules:
                by_place.setdefault((suppression.path, line, rule), []).append(number)
    left: list[Finding] = []
    suppressed: list[Finding] = []
    used: set[tuple[int, str]] = set()
    for finding in found:
        numbers = by_place.get((finding.path, finding.line, finding.rule), [])
        used |= {(number, finding.rule) for number in numbers}
        (suppressed if numbers else left).append(finding)
    problems = [problem for suppression in written for problem in _mistyped(suppression, known)]
    for number, suppression in enumerate(valid):
        unused = [rule for rule in suppression.rules if rule in asked and (number, rule) not in used]
        problems += [_problem(suppression, f"this suppresses no finding of {rule}") for rule in unused]
    return left, suppressed, problems


def _mistyped(suppression: Suppression, known: Collection[str]) -> Iterator[Problem]:
    if not suppression.rules:
        yield _problem(suppression, "this suppression names no rule")
        return
    for rule in suppression.rules:
        if rule not in known:
            yield _problem(suppression, f"there is no rule {rule}")
    if not suppression.reason:
        rules = ", ".join(suppression.rules)
        yield _problem(suppression, f"the suppression of {rules} has no reason, so it is ignored")


def _problem(suppression: Suppression, message: str) -> Problem:
    return Problem(suppression.path, suppression.line, message)
