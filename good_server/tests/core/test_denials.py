"""Tests of denials in memory: what is refused, and how long."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ...denials import Denial, Denials
from ...errors import Unauthorized
from ...orders import MOST_DENY_SECONDS, disconnect_order
from ...roles import Identity
from ..stand_in import PLAIN

LIFE_SECONDS = 600
NOW = 1_000_000.0


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def denials(clock):
    return Denials(LIFE_SECONDS, clock=clock)


def identity(issued_at, user="ana"):
    return Identity(user, PLAIN, NOW + 10 * LIFE_SECONDS, issued_at=issued_at)


def denial(deny_seconds=None, now=NOW):
    return disconnect_order("ana", deny_seconds, now).denial


async def test_tokens_issued_before_are_refused_and_newer_ones_not(denials, clock):
    await denials.deny("ana", denial())
    assert [denials.refuses(identity(NOW + late)) for late in (-100, 0, 0.5, 1)] == [True, True, False, False]
    assert not denials.refuses(identity(NOW, user="bob"))
    clock.now += LIFE_SECONDS - 0.001
    assert denials.refuses(identity(NOW))
    # by now every such token has expired
    clock.now += 0.002
    assert not denials.refuses(identity(NOW))


@pytest.mark.parametrize("issued_at", [None, math.nan, -math.inf])
async def test_an_identity_of_unknown_age_counts_as_old(denials, clock, issued_at):
    await denials.deny("ana", denial())
    assert denials.refuses(identity(issued_at))
    clock.now += LIFE_SECONDS
    assert not denials.refuses(identity(issued_at))


async def test_a_number_of_seconds_refuses_every_token(denials, clock):
    await denials.deny("ana", denial(30))
    assert all(denials.refuses(identity(issued_at)) for issued_at in (None, NOW - 1, NOW + 29))
    clock.now += 30
    assert not denials.refuses(identity(NOW - 1))


async def test_zero_seconds_refuse_nothing(denials):
    await denials.deny("ana", denial(0))
    assert not denials.refuses(identity(NOW - 1))
    assert len(denials) == 0


@pytest.mark.parametrize("seconds", [0, None, 1])
async def test_a_later_shorter_denial_ends_no_longer_one(denials, clock, seconds):
    await denials.deny("ana", denial(3600))
    await denials.deny("ana", denial(seconds))
    clock.now += 3599
    assert denials.refuses(identity(clock.now))


async def test_both_kinds_of_denial_hold_together(denials, clock):
    await denials.deny("ana", denial())
    await denials.deny("ana", denial(10))
    assert denials.refuses(identity(NOW + 5))
    clock.now += 10
    assert [denials.refuses(identity(NOW + late)) for late in (0, 5)] == [True, False]


async def test_a_denied_identity_is_unauthorized_with_a_reason(denials):
    denials.check_known(identity(NOW))
    await denials.deny("ana", denial())
    with pytest.raises(Unauthorized) as refused:
        denials.check_known(identity(NOW))
    assert (refused.value.code, refused.value.reason) == ("unauthorized", "denied")
    with pytest.raises(Unauthorized):
        await denials.check(identity(NOW))


async def test_the_denial_that_ends_first_is_dropped_when_full(clock):
    dropped = []
    denials = Denials(LIFE_SECONDS, clock=clock, on_drop=lambda: dropped.append(1), most=3)
    for user, seconds in (("a", 50), ("b", 40), ("c", 60), ("d", 55), ("e", 30)):
        await denials.deny(user, denial(seconds))
    assert (len(denials), len(dropped)) == (3, 2)
    assert [user for user in "abcde" if denials.refuses(identity(NOW, user))] == ["a", "c", "d"]
    # a further denial of a user who is denied already takes no place
    await denials.deny("a", denial(70))
    assert len(dropped) == 2


async def test_ended_denials_are_swept(denials, clock):
    await denials.deny("ana", denial(10))
    await denials.deny("bob", denial())
    denials.sweep()
    assert len(denials) == 2
    clock.now += 10
    denials.sweep()
    assert len(denials) == 1
    clock.now += LIFE_SECONDS
    denials.sweep()
    assert len(denials) == 0


TIMES = some.integers(0, 10**15 - 1)


@given(some.lists(some.builds(Denial, TIMES, TIMES), max_size=4))
def test_merging_never_refuses_less(several):
    merged = Denial()
    for each in several:
        merged = merged.merged(each)
    assert all(all(new >= old for new, old in zip(merged, each, strict=True)) for each in several)


@given(some.none() | some.binary(max_size=20) | some.from_regex(rb"[0-9]+ [0-9]+", fullmatch=True))
def test_a_strange_stored_denial_has_plain_times(value):
    assert all(0 <= time < 10**15 for time in Denial.stored(value))


@given(TIMES, TIMES)
def test_a_stored_denial_is_read_as_it_was(issued_until, all_until):
    assert Denial.stored(b"%d %d" % (issued_until, all_until)) == Denial(issued_until, all_until)


@pytest.mark.parametrize("seconds", [-1, MOST_DENY_SECONDS + 1, math.nan, math.inf, "1", True, [1]])
def test_a_wrong_time_to_deny_is_a_value_error(seconds):
    with pytest.raises(ValueError, match="deny_seconds must be 0 to"):
        disconnect_order("ana", seconds, NOW)
