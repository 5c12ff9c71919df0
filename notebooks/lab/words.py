"""Answers for how measurements are put into words, alike in the table, the page, the figures and the README."""

import math

from lab.claims import SIDES, Claim, Runs, reported

OUTCOMES = {"shown": "shown", "not_shown": "NOT SHOWN", "inconclusive": "inconclusive"}
NOTHING = "–"


def number(value: float | None) -> str:
    """A value as people read it: three digits that count, none that do not; a dash where nothing was measured."""
    if value is None or math.isnan(value):
        return NOTHING
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"


def finding(claim: Claim, runs: Runs) -> str:
    """What was found, as a sentence with the values measured in it."""
    return claim.finding.format(**{side: number(reported(claim, runs[side])) for side in SIDES})
