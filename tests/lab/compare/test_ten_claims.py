"""The main job, two-sided: the good server holds every claim, and the bad one is convicted of every mistake."""

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
    """One run of `lab compare`, the real one, as its JSON."""
    out = tmp_path_factory.mktemp("compare") / "out.json"
    command = [sys.executable, "-m", "lab", "compare", "--json", str(out)]
    subprocess.run(command, capture_output=True, timeout=150, check=False)
    read: dict[str, Any] = json.loads(out.read_text())
    return read


@cache
def names() -> list[str]:
    return [f"{claim.id} {claim.title}" for claim in CLAIMS]


# the fixture's one run of all ten stands behind the first of these tests
@pytest.mark.timeout(180)
@pytest.mark.parametrize("number", range(len(CLAIMS)), ids=names())
@pytest.mark.parametrize("side", SIDES)
def test_the_server_measures_what_is_claimed_of_it(document: dict[str, Any], number: int, side: Any) -> None:
    measured = document["claims"][number]
    assert CLAIMS[number].holds(side, measured[side]), f"{side} measured {measured[side]}: {measured['reason']}"


@pytest.mark.parametrize("number", range(len(CLAIMS)), ids=names())
def test_the_claim_is_shown(document: dict[str, Any], number: int) -> None:
    measured = document["claims"][number]
    assert measured["verdict"] == "shown", measured["reason"]


def test_no_limit_that_claim_10_is_about_was_raised_for_any_claim(document: dict[str, Any]) -> None:
    limits = {"EVENTS_PER_SECOND", "CHAT_PER_SECOND", "TRACKING_PER_SECOND", "BURST_SECONDS"}
    limits |= {"ROOMS_PER_SOCKET", "MAX_FRAME_BYTES", "SOCKETS_PER_USER"}
    assert {f"SERVER_{name}" for name in limits}.isdisjoint(document["environment"]["raised_limits"])


def test_errors_in_a_servers_log_are_counted(document: dict[str, Any]) -> None:
    errors = next(also for also in document["claims"][4]["also"] if also["metric"] == "errors in the server's log")
    assert errors["bad"] > 0 == errors["good"], "mistake 05 raises at each second tab that closes"
