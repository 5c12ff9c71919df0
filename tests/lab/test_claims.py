"""When a claim counts as shown, and when a run is looked at again."""

from typing import Any

import pytest
from lab.claims import Claim, load_claims, verdict
from lab.compare import load_scenarios
from lab.measure import Run
from pydantic import ValidationError

STALE: dict[str, Any] = {
    "id": "01",
    "slug": "stale",
    "title": "Never store ids",
    "metric": "ids",
    "unit": "ids",
    "better": "lower",
    "bad_at_least": 450,
    "good_at_most": 0,
    "reason": "for the test",
}
CLAIM = Claim(**STALE)


def outcome(bad: list[float], good: list[float]) -> str:
    return verdict(CLAIM, {"bad": [Run(v) for v in bad], "good": [Run(v) for v in good]}).outcome


@pytest.mark.parametrize(
    ("bad", "good", "expected"),
    [
        ([500], [0], "shown"),
        ([500], [3], "not_shown"),
        ([12], [0], "not_shown"),
        ([0], [0], "not_shown"),
        ([500, 440, 500], [0], "inconclusive"),
        ([440, 430, 420], [0], "not_shown"),
        ([500], [0, 1, 0], "inconclusive"),
    ],
)
def test_a_claim_is_shown_only_when_every_run_of_both_sides_holds(
    bad: list[float], good: list[float], expected: str
) -> None:
    assert outcome(bad, good) == expected


def test_a_broken_run_is_no_evidence_however_good_its_number() -> None:
    runs = {"bad": [Run(500)], "good": [Run(0, broken="nobody was connected")]}
    assert verdict(CLAIM, runs).outcome == "not_shown"
    assert verdict(CLAIM, runs).reason == "good: nobody was connected"


def test_a_value_that_is_no_number_holds_nothing() -> None:
    assert not CLAIM.holds("good", float("nan"))
    assert not CLAIM.holds("bad", float("nan"))


@pytest.mark.parametrize(
    ("side", "value", "is_doubtful"),
    [
        ("good", 0, False),
        ("good", 1, True),
        ("bad", 500, False),
        ("bad", 460, True),
        ("bad", 480, False),
        ("bad", 440, True),
    ],
)
def test_a_run_that_misses_or_nearly_misses_is_doubted(side: Any, value: float, is_doubtful: bool) -> None:
    assert CLAIM.is_doubtful(side, value) is is_doubtful


@pytest.mark.parametrize(
    "wrong", [{"better": "higher"}, {"bad_at_most": 5}, {"good_at_most": None}, {"colour": "red"}, {"id": "1"}]
)
def test_a_claim_with_bounds_that_contradict_its_direction_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Claim(**{**STALE, **wrong})


def test_every_claim_has_a_scenario_and_every_scenario_a_claim() -> None:
    assert [claim.id for claim in load_claims()] == [f"{number:02}" for number in range(1, 11)]
    assert set(load_scenarios()) == {claim.id for claim in load_claims()}
