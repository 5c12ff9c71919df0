"""Measures ten claims about the two servers, and shows the results.

A claim states in which range a metric is on the bad and on the good server.
"""

from collections.abc import Mapping

from lab.compare.comparison import Comparison, Result
from lab.compare.runner import compare
from lab.figures import diagrams
from lab.lessons.cell_output import Markdown, ProgressLine, draw, show_output, table
from lab.report.terminal import doubts, summary
from lab.results.claims import SIDES, Claim, load_claims
from lab.results.verdict import reported_value
from lab.results.wording import OUTCOMES, number
from lab.scenarios.catalogue import load_scenarios

# started first, because these experiments take longest, and most of it is waiting
LONGEST = ("01", "07")


async def measure_all() -> Comparison:
    """Measure all ten claims on the bad and the good server.

    This takes about half a minute. A claim states in which range the value of one metric is on each server. The
    scoreboard shows no other metrics, so the steps that only measure other metrics are left out.
    """
    claims, line, done = sorted(load_claims(), key=_starts_later), ProgressLine(), 0
    scenarios = {claim_id: scenario.without_secondary() for claim_id, scenario in load_scenarios().items()}

    def finished(result: Result) -> None:
        nonlocal done
        done += 1
        line.bar(done, len(claims), "claims measured")

    line.bar(0, len(claims), "claims measured")
    comparison = await compare(claims, scenarios=scenarios, finished=finished)
    line.update(summary(comparison))
    return comparison


def _starts_later(claim: Claim) -> bool:
    return claim.id not in LONGEST


def scoreboard(comparison: Comparison, guesses: Mapping[int, float | None] | None = None) -> None:
    """Show the results of all claims as a table and a figure.

    Each row is a claim about the bad and the good server, with a link to its lesson, a notebook. `guesses` maps the
    number of a lesson to the reader's guess of the bad server's value. If there is at least one guess, the table has a
    column for guesses. Reasons to doubt a result are shown between the table and the figure.
    """
    rows, guessed = [], {lesson: guess for lesson, guess in (guesses or {}).items() if guess is not None}
    for result in comparison.results:
        claim = result.claim
        link = f"[{claim.title}]({claim.id}_{claim.slug.replace('-', '_')}.ipynb)"
        values = [number(reported_value(claim, result.runs[side])) for side in SIDES]
        guess = [number(guessed.get(claim.number))] if guessed else []
        rows.append([link, *guess, *values, claim.unit, OUTCOMES[result.verdict.outcome]])
    table(["lesson", *(["your guess"] if guessed else []), *SIDES, "unit", "claim"], *rows)
    for doubt in doubts(comparison):
        show_output(Markdown(f"*{doubt[:1].upper()}{doubt[1:]}.*"))
    draw(diagrams.scores(comparison.results, title=summary(comparison)))
