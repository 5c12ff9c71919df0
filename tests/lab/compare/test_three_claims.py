"""Tests three quick claims on both servers in the quick lane.

The slow lane tests all ten claims.
"""

import pytest
from lab.compare.runner import compare
from lab.results.claims import load_claims

QUICK = ("03", "04", "08")
CLAIMS = [claim for claim in load_claims() if claim.id in QUICK]


@pytest.mark.parametrize("claim", CLAIMS, ids=[f"{claim.id} {claim.title}" for claim in CLAIMS])
async def test_a_quick_claim_is_shown(claim):
    (result,) = (await compare([claim])).results
    assert result.verdict.outcome == "shown", result.verdict.reason
