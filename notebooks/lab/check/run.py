"""Runs the checker once, from paths to findings."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.check import baseline, suppress
from lab.check.base import base_of, check_readable
from lab.check.choose import choose
from lab.check.cost import cost_of
from lab.check.facts import Facts
from lab.check.fixes import fix_of
from lab.check.ir import Node, Source
from lab.check.joins import Join
from lab.check.load import no_garbage_collection
from lab.check.mistakes import lesson_of
from lab.check.model import Finding, Hit, Rule
from lab.check.own_rules import LOST_JOIN, SUPPRESSION, every_rule
from lab.check.pages import Pages
from lab.check.related import with_related
from lab.check.result import Hidden, Options, Result
from lab.check.since import Since

# a stage, how much of it is done, and how much there is (0 if that is not known)
Progress = Callable[[str, int, int], None]


def check(paths: Sequence[Path], options: Options, progress: Progress = lambda *_: None) -> Result:
    """Check files and folders, and return the result.

    `progress(stage, done, total)` is called repeatedly: `stage` says what the checker does, such as "reading files",
    and `done` counts up to `total`, which is 0 if it is not known. Raises `UsageError` for a path, rule, commit or
    baseline (a file with known findings) that does not exist.
    """
    began = time.perf_counter()
    check_readable(paths)
    rules = choose(every_rule(), options.select, options.ignore, accounts=options.accounts)
    base = base_of(paths)
    # these fail before the analysis, which may take long
    since = Since(base, options.since) if options.since is not None else None
    known = baseline.read(options.baseline) if options.baseline is not None else None

    facts = Facts.of(paths, lambda done, total: progress("reading files", done, total))
    with no_garbage_collection():
        found, failures = _findings(facts, rules, Pages(facts, base), progress)
    if since is not None and LOST_JOIN in rules:
        found += [_lost_join(facts, join, options.since) for join in since.lost_joins(facts)]
    found, suppressed = _without_suppressed(facts, found, rules, is_since=since is not None)
    if options.write_baseline is not None:
        baseline.write(options.write_baseline, found, base)
        known = baseline.read(options.write_baseline)
    hidden: list[tuple[Hidden, Finding]] = [("suppressed", finding) for finding in suppressed]
    file = options.write_baseline or options.baseline
    if known is not None and file is not None:
        found, old = baseline.split(found, known, base, file.parent)
        hidden += [("in the baseline", finding) for finding in old]
    if since is not None:
        found, unchanged = since.split(found)
        hidden += [("in unchanged code", finding) for finding in unchanged]
    seconds = time.perf_counter() - began
    return _result(facts, base, rules=rules, findings=found, hidden=hidden, failures=failures, seconds=seconds)


def _result(facts: Facts, base: Path, **found: Any) -> Result:
    return Result(
        files=facts.files,
        unreadable=facts.unreadable,
        concerned=facts.concerned,
        sources=facts.sources,
        base=base,
        **found,
    )


def _findings(facts: Facts, rules: Sequence[Rule], pages: Pages, progress: Progress) -> tuple[list[Finding], list[str]]:
    """Return all findings, and a message for each rule that crashed.

    Code of pages has no findings.
    """
    found: set[Finding] = set()
    failures = []
    sources = facts.sources
    for number, rule in enumerate(rules):
        progress(f"rule {rule.id}", number, len(rules))
        try:
            hits = (hit for hit in rule.find(facts) if not pages.has(hit.path))
            found |= {_finding(facts, sources, rule, hit) for hit in hits}
        except Exception as error:  # noqa: BLE001 - the other rules still report what they find
            failures.append(f"{rule.id} failed and reports nothing ({type(error).__name__}: {error}); please report it")
    return with_related(facts, sorted(found, key=_place)), failures


def _place(finding: Finding) -> tuple[str, int, int, str]:
    return finding.path, finding.line, finding.column, finding.rule


def _finding(facts: Facts, sources: Mapping[str, Source], rule: Rule, hit: Hit) -> Finding:
    lines = sources[hit.path].lines
    text = lines[hit.node.line - 1] if 0 < hit.node.line <= len(lines) else ""
    return Finding(
        rule=rule.id,
        mistake=rule.mistake,
        level=hit.level or rule.level,
        path=hit.path,
        line=hit.node.line,
        column=hit.column,
        end_line=max(hit.node.end_line, hit.node.line),
        message=hit.message,
        cost=cost_of(rule),
        fix=fix_of(facts, rule, hit),
        lesson=lesson_of(rule.mistake),
        function=facts.function_at(hit.node),
        text=" ".join(text.split()),
        dialect=facts.dialect(hit.path),
    )


def _at(facts: Facts, sources: Mapping[str, Source], rule: Rule, path: str, line: int, message: str) -> Finding:
    """Return a finding of `rule` for a line of the file `path`."""
    lines = sources[path].lines
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    column = len(text) - len(text.lstrip()) + 1
    return _finding(facts, sources, rule, Hit(path, Node(line=line, column=column, end_line=line), message))


def _lost_join(facts: Facts, join: Join, ref: str | None) -> Finding:
    where = f" in {join.function}" if join.function else ""
    message = f"`{join.text.rstrip(';')}`{where} was removed since {ref}"
    finding = _at(facts, facts.sources, LOST_JOIN, join.path, join.line, message)
    return replace(finding, function=join.function, text=join.text)


def _without_suppressed(
    facts: Facts, found: list[Finding], rules: Sequence[Rule], *, is_since: bool
) -> tuple[list[Finding], list[Finding]]:
    """Return the remaining findings, and the findings that comments suppress.

    A comment that suppresses nothing becomes a finding, too. `is_since` is true if the run compares with a commit. In
    other runs, the rule `LOST_JOIN` does not run, so an unused comment for this rule is not reported.
    """
    asked = {rule.id for rule in rules} - {SUPPRESSION.id}
    if not is_since:
        asked.discard(LOST_JOIN.id)
    sources = facts.sources
    written = suppress.suppressions(sources)
    left, suppressed, problems = suppress.apply(found, written, known={rule.id for rule in every_rule()}, asked=asked)
    if SUPPRESSION in rules:
        left += [_at(facts, sources, SUPPRESSION, problem.path, problem.line, problem.message) for problem in problems]
    return sorted(left, key=_place), suppressed
