"""Answers for how measurements are put into words, alike in the table, the page, the figures and the README."""

import math

from lab.results.claims import SIDES, Claim, Runs, Side
from lab.results.verdict import reported_value

OUTCOMES = {"shown": "shown", "not_shown": "NOT SHOWN", "inconclusive": "inconclusive"}
NOTHING = "–"


def number(value: float | None) -> str:
    """A value as people read it, with two or three digits that count; a dash where nothing was measured."""
    if value is None or math.isnan(value):
        return NOTHING
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1 else f"{value:.2g}"


def finding(claim: Claim, runs: Runs) -> str:
    """What was found, as a sentence with the values measured in it."""
    return claim.finding.format(**{side: number(reported_value(claim, runs[side])) for side in SIDES})


def describe_value(claim: Claim, side: Side, value: float | None) -> str:
    """One side's value with what it is a value of."""
    return f"The {side} server: {number(value)} {claim.unit}, {claim.metric}"
