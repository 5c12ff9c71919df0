"""Tests all ten claims on servers of two processes.

It also tests the bounds for what arrives before any connection is cut.
"""

import json
import subprocess
import sys
from typing import Any

import pytest
from lab.results.claims import SIDES, load_claims, load_two_process_bounds

CLAIMS = load_claims()
BOUNDS = load_two_process_bounds()


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory, redis_program: str) -> dict[str, Any]:
    """Run `lab compare --workers 2` once; return its JSON as a dict."""
    out = tmp_path_factory.mktemp("compare") / "out.json"
    command = [sys.executable, "-m", "lab", "compare", "--workers", "2", "--json", str(out)]
    subprocess.run(command, capture_output=True, timeout=200, check=False)
    read: dict[str, Any] = json.loads(out.read_text())
    return read


# the first of these tests also waits for the fixture, which runs all ten claims
@pytest.mark.timeout(240)
@pytest.mark.parametrize("number", range(len(CLAIMS)), ids=[f"{claim.id} {claim.title}" for claim in CLAIMS])
def test_the_claim_is_shown_with_two_processes_too(document: dict[str, Any], number: int) -> None:
    measured = document["claims"][number]
    assert (document["workers"], measured["id"]) == (2, CLAIMS[number].id)
    assert measured["verdict"] == "shown", measured["reason"]
    assert all(CLAIMS[number].holds(side, measured[side]) for side in SIDES)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("number", range(len(BOUNDS)), ids=[bounds.id for bounds in BOUNDS])
def test_the_bounds_before_any_cut_are_met(document: dict[str, Any], number: int) -> None:
    measured = document["before_any_cut"][number]
    assert measured["id"] == BOUNDS[number].id
    assert measured["verdict"] == "shown", measured["reason"]
    assert BOUNDS[number].holds("bad", 2, measured["bad"])


@pytest.mark.timeout(240)
def test_only_mistakes_with_a_dict_fail_before_any_cut(
    document: dict[str, Any],
) -> None:
    fails = {measured["id"]: measured["fails_before_any_cut"] for measured in document["before_any_cut"]}
    assert fails == {"01": True, "02": False, "05": True}
