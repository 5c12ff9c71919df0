"""Tests all ten claims on both servers.

The good server meets every bound, and every mistake of the bad server is detected.
"""

from functools import cache
from typing import Any

import pytest
from lab.results.claims import SIDES, load_claims

CLAIMS = load_claims()


@cache
def names() -> list[str]:
    return [f"{claim.id} {claim.title}" for claim in CLAIMS]


# the first of these tests also waits for the fixture, which runs all ten claims
@pytest.mark.timeout(180)
@pytest.mark.parametrize("number", range(len(CLAIMS)), ids=names())
@pytest.mark.parametrize("side", SIDES)
def test_the_server_meets_its_bound(comparison: dict[str, Any], number: int, side: Any) -> None:
    measured = comparison["claims"][number]
    assert CLAIMS[number].holds(side, measured[side]), f"{side} measured {measured[side]}: {measured['reason']}"


@pytest.mark.parametrize("number", range(len(CLAIMS)), ids=names())
def test_the_claim_is_shown(comparison: dict[str, Any], number: int) -> None:
    measured = comparison["claims"][number]
    assert measured["verdict"] == "shown", measured["reason"]


def test_no_limit_of_claim_10_was_raised_for_any_claim(comparison: dict[str, Any]) -> None:
    limits = {"EVENTS_PER_SECOND", "CHAT_PER_SECOND", "TRACKING_PER_SECOND", "BURST_SECONDS"}
    limits |= {"ROOMS_PER_SOCKET", "MAX_FRAME_BYTES", "SOCKETS_PER_USER"}
    assert {f"SERVER_{name}" for name in limits}.isdisjoint(comparison["environment"]["raised_limits"])


def test_errors_in_a_servers_log_are_counted(comparison: dict[str, Any]) -> None:
    errors = next(also for also in comparison["claims"][4]["also"] if also["metric"] == "errors in the server's log")
    assert errors["bad"] > 0 == errors["good"], "mistake 05 raises an error when the second tab closes"
