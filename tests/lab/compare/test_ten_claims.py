"""All ten claims: the good server passes, every mistake is detected."""

import json
import subprocess
import sys
from functools import cache
from typing import Any

import pytest
from lab.results.claims import SIDES, load_claims

CLAIMS = load_claims()


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run `lab compare` once and return its JSON."""
    out = tmp_path_factory.mktemp("compare") / "out.json"
    command = [sys.executable, "-m", "lab", "compare", "--json", str(out)]
    subprocess.run(command, capture_output=True, timeout=150, check=False)
    read: dict[str, Any] = json.loads(out.read_text())
    return read


@cache
def names() -> list[str]:
    return [f"{claim.id} {claim.title}" for claim in CLAIMS]


# the first of these tests also waits for the fixture, which runs all ten claims
@pytest.mark.timeout(180)
@pytest.mark.parametrize("number", range(len(CLAIMS)), ids=names())
@pytest.mark.parametrize("side", SIDES)
def test_the_server_meets_its_bound(document: dict[str, Any], number: int, side: Any) -> None:
    measured = document["claims"][number]
    assert CLAIMS[number].holds(side, measured[side]), f"{side} measured {measured[side]}: {measured['reason']}"


@pytest.mark.parametrize("number", range(len(CLAIMS)), ids=names())
def test_the_claim_is_shown(document: dict[str, Any], number: int) -> None:
    measured = document["claims"][number]
    assert measured["verdict"] == "shown", measured["reason"]


def test_no_limit_of_claim_10_was_raised_for_any_claim(document: dict[str, Any]) -> None:
    limits = {"EVENTS_PER_SECOND", "CHAT_PER_SECOND", "TRACKING_PER_SECOND", "BURST_SECONDS"}
    limits |= {"ROOMS_PER_SOCKET", "MAX_FRAME_BYTES", "SOCKETS_PER_USER"}
    assert {f"SERVER_{name}" for name in limits}.isdisjoint(document["environment"]["raised_limits"])


def test_errors_in_a_servers_log_are_counted(document: dict[str, Any]) -> None:
    errors = next(also for also in document["claims"][4]["also"] if also["metric"] == "errors in the server's log")
    assert errors["bad"] > 0 == errors["good"], "mistake 05 raises an error when the second tab closes"
