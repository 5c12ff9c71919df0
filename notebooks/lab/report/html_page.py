"""Renders a comparison of two servers as one HTML page.

The figures are inside the page, so it is a single file.
"""

import datetime
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

from lab.compare.comparison import Comparison, Result
from lab.compare.two_processes import sides_and_processes
from lab.figures.bars import as_svg, side_by_side
from lab.report.json_document import also_values
from lab.report.terminal import doubts, summary, two_process_headings
from lab.results.claims import SIDES
from lab.results.verdict import reported_value
from lab.results.wording import OUTCOMES, finding, number

SWATCHES = "".join(f'<th class="number"><span class="swatch {side}"></span>{side}</th>' for side in SIDES)


def as_html(comparison: Comparison) -> str:
    """Render a comparison of two servers as an HTML page.

    The page loads no other file.
    """
    style = (resources.files("lab.report") / "page.css").read_text(encoding="utf-8")
    rows = "".join(_row(result) for result in comparison.results)
    sections = "".join(_section(result) for result in comparison.results)
    warnings = _note(doubts(comparison))
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Rooms, not IDs: {escape(summary(comparison))}</title>
<style>
{style}</style>
<header>
<h1>Rooms, not IDs</h1>
<p class="lead">Common mistakes of Socket.IO servers, and how rooms fix them. Each is measured with the same clients on
a server with the mistake and on a server without it.</p>
<p class="soft">{escape(summary(comparison))}, {_today()}</p>
</header>
<main>
<table>
<tr><th></th><th>claim</th>{SWATCHES}<th></th></tr>
{rows}</table>
{warnings}
{_before_any_cut(comparison)}{sections}</main>
<footer>
<h2>How it was measured</h2>
{_environment(comparison)}</footer>
</html>
"""


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def _row(result: Result) -> str:
    claim = result.claim
    values = _cells({side: reported_value(claim, result.runs[side]) for side in SIDES})
    measured = escape(f"{claim.metric} ({claim.unit})")
    title = f'<a href="#claim-{claim.id}">{escape(claim.title)}</a><span class="soft">{measured}</span>'
    return f"<tr><td>{claim.id}</td><td>{title}</td>{values}<td>{_verdict(result)}</td></tr>\n"


def _before_any_cut(comparison: Comparison) -> str:
    if not comparison.before_any_cut:
        return ""
    headings = "".join(f'<th class="number">{text}</th>' for text in two_process_headings(comparison.workers))
    rows = "".join(
        f"<tr><td>{row.claim.id}</td><td>{escape(row.claim.slug)}"
        f'<span class="soft">{escape(row.finding)}</span></td>'
        f"{_cells({case: row.value(*case) for case in sides_and_processes(row.workers)})}"
        f"<td>{_outcome(row.verdict.outcome)}</td></tr>\n"
        for row in comparison.before_any_cut
    )
    return f"""<section>
<h2>Before any cut, with one process per side and with {comparison.workers}</h2>
<table>
<tr><th></th><th>what arrives, in percent</th>{headings}<th></th></tr>
{rows}</table>
</section>
"""


def _note(lines: Sequence[str]) -> str:
    return '<p class="doubt">' + "<br>".join(map(escape, lines)) + "</p>" if lines else ""


def _cells(values: Mapping[Any, float | None]) -> str:
    return "".join(f'<td class="number">{number(value)}</td>' for value in values.values())


def _verdict(result: Result) -> str:
    return _outcome(result.verdict.outcome)


def _outcome(outcome: str) -> str:
    return f'<span class="verdict {outcome}">{OUTCOMES[outcome]}</span>'


def _section(result: Result) -> str:
    claim, found = result.claim, escape(finding(result.claim, result.runs))
    reason = _note([result.verdict.reason] if result.verdict.reason else [])
    also = "".join(
        f"<tr><td>{escape(f'{also.metric} ({also.unit})')}</td>{_cells(also_values(result, also))}</tr>\n"
        for also in claim.also
    )
    return f"""<section id="claim-{claim.id}">
<div class="heading"><h2><span>{claim.id}</span>{escape(claim.title)}</h2>{_verdict(result)}</div>
<p class="finding">{found}</p>
{reason}<figure role="img" aria-label="{found}">
{as_svg(side_by_side(claim, result.runs, is_titled=False))}
<figcaption>Dashed: the bounds. {escape(claim.reason)}</figcaption>
</figure>
<table class="also">
<tr><th>also measured</th>{SWATCHES}</tr>
{also}</table>
</section>
"""


def _environment(comparison: Comparison) -> str:
    known = comparison.environment
    raised = "<br>".join(f"<code>{escape(f'{name}={value}')}</code>" for name, value in known["raised_limits"].items())
    entries = {
        "machine": escape(f"{known['platform']}, {known['cpus']} CPUs"),
        "versions": escape(", ".join(f"{name} {version}" for name, version in _versions(comparison).items())),
        "seed": known["seed"],
        "runs": "one per side; two more if a run misses its bound or is close to it, and then the median is shown",
        "settings": f"{raised}<br>raised for the lab, because all its clients have one address and must not wait long",
    }
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{value}</dd>\n" for name, value in entries.items()) + "</dl>\n"


def _versions(comparison: Comparison) -> dict[str, str]:
    return {"Python": comparison.environment["python"], **comparison.environment["versions"]}
