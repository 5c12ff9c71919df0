"""Answers for the comparison as one self-contained page, with its figures inside."""

import html

from lab.claims import SIDES, shown_value
from lab.compare import Comparison, Result
from lab.figures import as_svg, side_by_side
from lab.report import WORDS, also_value, environment_line, number, remarks

STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --soft: #666; --line: #ddd; --paper: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #eee; --soft: #aaa; --line: #444; --paper: #161616; } }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 46rem; margin: 3rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin: 2.8rem 0 .2rem; }
p, small { color: var(--soft); margin: .2rem 0 .8rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .93rem; }
th, td { text-align: left; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; } .n { text-align: right; white-space: nowrap; }
.shown { color: #009E73; } .not_shown, .inconclusive { color: #D55E00; font-weight: 600; }
figure { margin: .6rem 0; background: #fff; border-radius: 6px; padding: .4rem; }
figure svg { width: 100%; height: auto; }
a { color: inherit; }
"""


def as_html(comparison: Comparison) -> str:
    """The whole page; it loads nothing from anywhere."""
    rows = "".join(_row(result) for result in comparison.results)
    sections = "".join(_section(result) for result in comparison.results)
    told = "<br>".join(html.escape(line) for line in remarks(comparison))
    raised = ", ".join(f"{name}={value}" for name, value in comparison.environment["raised_limits"].items())
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Rooms, not IDs: the comparison</title><style>{STYLE}</style>
<h1>Rooms, not IDs</h1>
<p>Ten mistakes with Socket.IO and their room-based fixes, measured on two servers by the same clients.</p>
<table><tr><th></th><th>claim</th>
<th>measured</th><th class="n">bad</th><th class="n">good</th><th></th></tr>{rows}</table>
<p>{told}</p>
{sections}
<h2>How it was measured</h2>
<p>{html.escape(environment_line(comparison.environment))}.<br>
Limits raised for the lab: {html.escape(raised) or "none"}.</p>
</html>
"""


def _row(result: Result) -> str:
    claim, outcome = result.claim, result.verdict.outcome
    values = "".join(f'<td class="n">{number(shown_value(result.runs[side]))}</td>' for side in SIDES)
    return (
        f'<tr><td>{claim.id}</td><td><a href="#c{claim.id}">{html.escape(claim.title)}</a></td>'
        f"<td>{html.escape(claim.metric)} ({html.escape(claim.unit)})</td>{values}"
        f'<td class="{outcome}">{WORDS[outcome]}</td></tr>'
    )


def _section(result: Result) -> str:
    claim = result.claim
    drawn = (
        ""
        if any(shown_value(result.runs[side]) != shown_value(result.runs[side]) for side in SIDES)
        else as_svg(side_by_side(result))
    )
    rows = "".join(
        f"<tr><td>{html.escape(also.metric)} ({html.escape(also.unit)})</td>"
        + "".join(f'<td class="n">{_also(result, side, also.key)}</td>' for side in SIDES)
        + "</tr>"
        for also in claim.also
    )
    reason = f"<p>{html.escape(result.verdict.reason)}</p>" if result.verdict.reason else ""
    return (
        f'<h2 id="c{claim.id}">{claim.id} {html.escape(claim.title)}</h2>'
        f'<p><span class="{result.verdict.outcome}">{WORDS[result.verdict.outcome]}</span>. '
        f"{html.escape(claim.reason)}</p>{reason}"
        f"<figure>{drawn}</figure>"
        f'<table><tr><th>also measured</th><th class="n">bad</th><th class="n">good</th></tr>{rows}</table>'
    )


def _also(result: Result, side: str, key: str) -> str:
    value = also_value(result, side, key)
    return number(value) if value is not None else "–"
