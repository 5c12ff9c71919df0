"""Tests the verdicts on claims, doubtful runs, and errors in claims.toml."""

from typing import Any

import pytest
from lab.results.claims import Claim, ClaimsError, TwoProcessBounds, load_claims, load_two_process_bounds
from lab.results.run import LATE_SECONDS, Run
from lab.results.verdict import judge, reported_value
from lab.results.wording import finding, number

STALE: dict[str, Any] = {
    "id": "01",
    "slug": "stale",
    "title": "Never store ids",
    "finding": "{bad} held, or {good}.",
    "metric": "ids",
    "unit": "ids",
    "better": "lower",
    "best": 0,
    "worst": 500,
    "bad_at_least": 450,
    "good_at_most": 0,
    "reason": "for the test",
}
CLAIM = Claim(**STALE)
TIMED = Claim(**{**STALE, "timed": True, "worst": 8, "bad_at_least": 3, "good_at_most": 0.3})
LATE = LATE_SECONDS * 2


def outcome(bad: list[float], good: list[float]) -> str:
    return judge(CLAIM, {"bad": [Run(v) for v in bad], "good": [Run(v) for v in good]}).outcome


@pytest.mark.parametrize(
    ("bad", "good", "expected"),
    [
        ([500], [0], "shown"),
        ([450], [0], "shown"),
        ([500], [3], "not_shown"),
        ([12], [0], "not_shown"),
        ([0], [0], "not_shown"),
        ([440, 430, 420], [0], "not_shown"),
        ([500, 440, 500], [0], "inconclusive"),
        ([500], [0, 1, 0], "inconclusive"),
        ([500, 440, 500], [1, 1, 1], "not_shown"),
    ],
)
def test_a_claim_is_shown_only_when_every_run_meets_its_bound(
    bad: list[float], good: list[float], expected: str
) -> None:
    assert outcome(bad, good) == expected


def test_a_missed_bound_is_reported_with_the_measured_value() -> None:
    assert judge(CLAIM, {"bad": [Run(12)], "good": [Run(0)]}).reason == "bad measured 12, wanted at least 450"


def test_a_run_with_a_failed_precondition_is_no_evidence() -> None:
    runs = {"bad": [Run(500)], "good": [Run(0, broken="nobody was connected")]}
    assert judge(CLAIM, runs).outcome == "not_shown"
    assert judge(CLAIM, runs).reason == "good: nobody was connected"
    assert reported_value(CLAIM, runs["good"]) is None


def test_nan_never_meets_a_bound() -> None:
    assert not CLAIM.holds("good", float("nan"))
    assert not CLAIM.holds("bad", float("nan"))
    assert outcome([500], [float("nan")]) == "not_shown"


@pytest.mark.parametrize(
    ("side", "value", "is_doubtful"),
    [
        ("good", 0, False),  # no value is better than the end of the scale, even when the bound is there too
        ("good", 1, True),
        ("bad", 500, False),
        ("bad", 456, False),
        ("bad", 455, True),
        ("bad", 440, True),
        ("bad", float("nan"), True),
    ],
)
def test_a_run_that_misses_or_nearly_misses_is_doubtful(side: Any, value: float, is_doubtful: bool) -> None:
    assert CLAIM.is_doubtful(side, Run(value)) is is_doubtful


def test_late_clients_make_a_timed_or_broken_run_doubtful() -> None:
    assert TIMED.is_doubtful("good", Run(0.1, lateness_seconds=LATE))
    assert CLAIM.is_doubtful("good", Run(0, broken="nobody came", lateness_seconds=LATE))
    assert not CLAIM.is_doubtful("good", Run(0, lateness_seconds=LATE))
    assert not CLAIM.is_doubtful("good", Run(0, broken="nobody came"))


def test_a_run_broken_by_late_clients_does_not_count() -> None:
    good = [Run(0, broken="nobody came", lateness_seconds=LATE), Run(0), Run(0)]
    assert judge(CLAIM, {"bad": [Run(500)], "good": good}).outcome == "shown"
    assert judge(CLAIM, {"bad": [Run(500)], "good": good[:1]}).reason == "good: nobody came"


def test_a_time_measured_by_late_clients_does_not_count() -> None:
    good = [Run(0.9, lateness_seconds=LATE), Run(0.1), Run(0.2)]
    assert judge(TIMED, {"bad": [Run(8)], "good": good}).outcome == "shown"
    assert reported_value(TIMED, good) == pytest.approx(0.15)
    assert judge(TIMED, {"bad": [Run(8)], "good": good[:1]}).outcome == "not_shown"


def test_the_median_of_the_runs_is_reported_for_every_metric() -> None:
    runs = [Run(1, {"bytes": 30}), Run(9, {"bytes": 10}), Run(2, {"bytes": 20})]
    assert (
        reported_value(CLAIM, runs),
        reported_value(CLAIM, runs, "bytes"),
        reported_value(CLAIM, runs, "rooms"),
    ) == (2, 20, None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ('better = "higher"', "where higher is better the bounds are bad_at_most and good_at_least"),
        ("bad_at_most = 5", "the bounds are bad_at_least and good_at_most"),
        ("good_at_most = 460", "must be in order"),
        ("worst = 400", "must be in order"),
        ('colour = "red"', "claim.0.colour: Extra inputs are not permitted"),
        ('id = "1"', "claim.0.id: String should match pattern"),
        ("worst = inf", "claim.0.worst: Input should be a finite number"),
        ("also = [{ key = 'rooms' }]", "claim.0.also.0.metric: Field required"),
        ("title = ", "claims.toml: Invalid value"),
    ],
)
def test_an_error_in_the_file_is_reported_in_one_line(wrong: str, message: str) -> None:
    key = wrong.partition(" ")[0]
    lines = [f"{name} = {value!r}" for name, value in STALE.items() if name != key]
    with pytest.raises(ClaimsError) as caught:
        load_claims("\n".join(["[[claim]]", *lines, wrong]))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_finding_is_a_sentence_with_the_measured_values() -> None:
    assert finding(CLAIM, {"bad": [Run(1234.5)], "good": [Run(0, broken="x")]}) == "1,234 held, or –."
    for claim in load_claims():
        sentence = finding(claim, {"bad": [Run(8.125)], "good": [Run(0.25)]})
        assert "8.12" in sentence
        assert "0.25" in sentence


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (500, "500"),
        (12345.6, "12,346"),
        (0.1234, "0.12"),
        (33.333, "33.3"),
        (float("nan"), "–"),
        (None, "–"),
        (0, "0"),
        (99.96, "100"),
    ],
)
def test_a_value_is_written_with_its_significant_digits(value: float | None, text: str) -> None:
    assert number(value) == text


BEFORE = "[[before_any_cut]]\nid = '01'\nasks = 'chat'\nmetric = 'm'\nunit = '%'\nfinding = ''\nreason = ''\n"


def bounds_with(bound: str) -> TwoProcessBounds:
    (bounds,) = load_two_process_bounds(f"claim = []\n{BEFORE}others_at_least = 100\n{bound}")
    return bounds


def test_only_the_bad_server_with_two_processes_has_a_bad_bound() -> None:
    bounds = bounds_with("bad_at_most = 60")
    assert [bounds.holds("bad", 2, value) for value in (50, 60, 61)] == [True, True, False]
    assert [bounds.holds(side, count, 60) for side, count in (("bad", 1), ("good", 1), ("good", 2))] == [False] * 3
    assert (bounds.wanted("bad", 2), bounds.wanted("good", 2)) == ("at most 60", "at least 100")


def test_a_mistake_may_be_harmless_before_any_cut() -> None:
    bounds = bounds_with("bad_at_least = 100")
    assert [bounds.holds("bad", 2, value) for value in (100, 99, float("nan"))] == [True, False, False]


@pytest.mark.parametrize("bounds", ["", "bad_at_most = 60\nbad_at_least = 100"])
def test_two_process_bounds_need_exactly_one_bound(bounds: str) -> None:
    with pytest.raises(ClaimsError, match="either bad_at_most or bad_at_least"):
        bounds_with(bounds)


def test_two_process_bounds_belong_to_existing_claims() -> None:
    assert {bounds.id for bounds in load_two_process_bounds()} == {"01", "02", "05"}
    assert {bounds.id for bounds in load_two_process_bounds()} <= {claim.id for claim in load_claims()}
