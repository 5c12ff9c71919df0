"""Puts measurements into words for tables, figures and documents."""

import math

from lab.results.claims import SIDES, Claim, Runs
from lab.results.verdict import reported_value

OUTCOMES = {"shown": "shown", "not_shown": "NOT SHOWN", "inconclusive": "inconclusive"}
NOTHING = "–"


def number(value: float | None) -> str:
    """Format a measured value for a reader.

    A whole number, and any value from 100 on, gets no decimals, and commas between thousands. Other values get two or
    three significant digits. Returns a dash if `value` is None or NaN, because nothing was measured.
    """
    if value is None or math.isnan(value):
        return NOTHING
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1 else f"{value:.2g}"


def finding(claim: Claim, runs: Runs) -> str:
    """Return the sentence that says what was measured for a claim.

    A claim is a statement about the bad and the good server. The sentence contains the measured values of both servers.
    """
    return claim.finding.format(**{side: number(reported_value(claim, runs[side])) for side in SIDES})
