"""When a claim counts as shown, when a run is looked at again, and what claims.toml may say."""

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
def test_a_claim_is_shown_only_when_every_run_of_both_sides_holds(
    bad: list[float], good: list[float], expected: str
) -> None:
    assert outcome(bad, good) == expected


def test_a_miss_is_told_with_what_was_measured_and_what_was_wanted() -> None:
    assert judge(CLAIM, {"bad": [Run(12)], "good": [Run(0)]}).reason == "bad measured 12, wanted at least 450"


def test_a_run_whose_precondition_failed_is_no_evidence_however_good_its_number() -> None:
    runs = {"bad": [Run(500)], "good": [Run(0, broken="nobody was connected")]}
    assert judge(CLAIM, runs).outcome == "not_shown"
    assert judge(CLAIM, runs).reason == "good: nobody was connected"
    assert reported_value(CLAIM, runs["good"]) is None


def test_a_value_that_is_no_number_holds_nothing() -> None:
    assert not CLAIM.holds("good", float("nan"))
    assert not CLAIM.holds("bad", float("nan"))
    assert outcome([500], [float("nan")]) == "not_shown"


@pytest.mark.parametrize(
    ("side", "value", "is_doubtful"),
    [
        ("good", 0, False),  # exactly at the end of the scale is as good as it gets, even if the bound is there too
        ("good", 1, True),
        ("bad", 500, False),
        ("bad", 456, False),
        ("bad", 455, True),
        ("bad", 440, True),
        ("bad", float("nan"), True),
    ],
)
def test_a_run_that_misses_or_nearly_misses_is_doubted(side: Any, value: float, is_doubtful: bool) -> None:
    assert CLAIM.is_doubtful(side, Run(value)) is is_doubtful


def test_late_clients_make_a_run_doubtful_where_time_is_measured_or_the_run_broke() -> None:
    assert TIMED.is_doubtful("good", Run(0.1, lateness_seconds=LATE))
    assert CLAIM.is_doubtful("good", Run(0, broken="nobody came", lateness_seconds=LATE))
    assert not CLAIM.is_doubtful("good", Run(0, lateness_seconds=LATE))
    assert not CLAIM.is_doubtful("good", Run(0, broken="nobody came"))


def test_a_run_that_broke_under_late_clients_counts_for_nothing_beside_others() -> None:
    good = [Run(0, broken="nobody came", lateness_seconds=LATE), Run(0), Run(0)]
    assert judge(CLAIM, {"bad": [Run(500)], "good": good}).outcome == "shown"
    assert judge(CLAIM, {"bad": [Run(500)], "good": good[:1]}).reason == "good: nobody came"


def test_a_time_taken_by_late_clients_counts_for_nothing_beside_punctual_ones() -> None:
    good = [Run(0.9, lateness_seconds=LATE), Run(0.1), Run(0.2)]
    assert judge(TIMED, {"bad": [Run(8)], "good": good}).outcome == "shown"
    assert reported_value(TIMED, good) == pytest.approx(0.15)
    assert judge(TIMED, {"bad": [Run(8)], "good": good[:1]}).outcome == "not_shown"


def test_the_median_of_the_runs_is_reported_of_every_metric() -> None:
    runs = [Run(1, {"bytes": 30}), Run(9, {"bytes": 10}), Run(2, {"bytes": 20})]
    assert (
        reported_value(CLAIM, runs),
        reported_value(CLAIM, runs, "bytes"),
        reported_value(CLAIM, runs, "rooms"),
    ) == (2, 20, None)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ('better = "higher"', "where higher is better the bounds are bad_at_most and good_at_least"),
        ("bad_at_most = 5", "the bounds are bad_at_least and good_at_most"),
        ("good_at_most = 460", "must go one way"),
        ("worst = 400", "must go one way"),
        ('colour = "red"', "claim.0.colour: Extra inputs are not permitted"),
        ('id = "1"', "claim.0.id: String should match pattern"),
        ("worst = inf", "claim.0.worst: Input should be a finite number"),
        ("also = [{ key = 'rooms' }]", "claim.0.also.0.metric: Field required"),
        ("title = ", "claims.toml: Invalid value"),
    ],
)
def test_what_is_wrong_in_the_file_is_told_in_one_line(wrong: str, told: str) -> None:
    key = wrong.partition(" ")[0]
    lines = [f"{name} = {value!r}" for name, value in STALE.items() if name != key]
    with pytest.raises(ClaimsError) as caught:
        load_claims("\n".join(["[[claim]]", *lines, wrong]))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_finding_is_a_sentence_with_the_values_measured_in_it() -> None:
    assert finding(CLAIM, {"bad": [Run(1234.5)], "good": [Run(0, broken="x")]}) == "1,234 held, or –."
    for claim in load_claims():
        told = finding(claim, {"bad": [Run(8.125)], "good": [Run(0.25)]})
        assert "8.12" in told
        assert "0.25" in told


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
def test_a_value_is_told_with_the_digits_that_count(value: float | None, text: str) -> None:
    assert number(value) == text


BEFORE = "[[before_any_cut]]\nid = '01'\nasks = 'chat'\nmetric = 'm'\nunit = '%'\nfinding = ''\nreason = ''\n"


def before(bound: str) -> TwoProcessBounds:
    (bounds,) = load_two_process_bounds(f"claim = []\n{BEFORE}others_at_least = 100\n{bound}")
    return bounds


def test_before_any_cut_the_bound_of_its_own_is_for_the_bad_server_with_several_processes_alone() -> None:
    bounds = before("bad_at_most = 60")
    assert [bounds.holds("bad", 2, value) for value in (50, 60, 61)] == [True, True, False]
    assert [bounds.holds(side, count, 60) for side, count in (("bad", 1), ("good", 1), ("good", 2))] == [False] * 3
    assert (bounds.wanted("bad", 2), bounds.wanted("good", 2)) == ("at most 60", "at least 100")


def test_before_any_cut_a_mistake_may_be_claimed_to_do_no_harm_yet() -> None:
    bounds = before("bad_at_least = 100")
    assert [bounds.holds("bad", 2, value) for value in (100, 99, float("nan"))] == [True, False, False]


@pytest.mark.parametrize("bounds", ["", "bad_at_most = 60\nbad_at_least = 100"])
def test_before_any_cut_wants_one_bound(bounds: str) -> None:
    with pytest.raises(ClaimsError, match="either bad_at_most or bad_at_least"):
        before(bounds)


def test_what_is_claimed_before_any_cut_is_of_claims_there_are() -> None:
    assert {bounds.id for bounds in load_two_process_bounds()} == {"01", "02", "05"}
    assert {bounds.id for bounds in load_two_process_bounds()} <= {claim.id for claim in load_claims()}
