"""Tests of rate limits, and of limits on the number of connections."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ...connection_limits import ConnectionLimits
from ...rate_limits import RateLimits
from ...settings import Settings
from ...token_bucket import TokenBucket
from ..stand_in import NOTE_RATE, NOTES_PER_SECOND


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_bucket_allows_its_burst_and_no_more():
    bucket = TokenBucket(rate=2, burst=3, now=0)
    assert [bucket.take(0) for _ in range(4)] == [0, 0, 0, 0.5]


def test_a_bucket_allows_the_next_after_the_wait_it_returned():
    bucket = TokenBucket(rate=4, burst=1, now=0)
    bucket.take(0)
    wait_seconds = bucket.take(0.1)
    assert wait_seconds == pytest.approx(0.15)
    assert bucket.take(0.1 + wait_seconds) == 0


def test_a_refusal_takes_no_token():
    bucket = TokenBucket(rate=1, burst=1, now=0)
    assert [bucket.take(0) for _ in range(100)][-1] == 1
    assert bucket.take(1) == 0


def test_a_bucket_never_holds_more_than_its_burst():
    bucket = TokenBucket(rate=1, burst=2, now=0)
    assert [bucket.take(1000) for _ in range(3)] == [0, 0, 1]


@given(rate=st.floats(0.1, 100), burst=st.floats(1, 50), gaps=st.lists(st.floats(0, 10), min_size=1, max_size=200))
def test_a_bucket_never_allows_more_than_burst_and_rate(rate, burst, gaps):
    bucket, now, passed = TokenBucket(rate, burst, now=0), 0.0, 0
    for gap in gaps:
        now += gap
        passed += bucket.take(now) == 0
    assert passed <= burst + rate * now + 1e-6


def rates(clock, **settings):
    return RateLimits(Settings(**settings), clock=clock)


async def test_each_user_and_kind_has_its_own_bucket():
    limited = rates(Clock(), events_per_second=1, **{NOTES_PER_SECOND: 1}, burst_seconds=1)
    calls = [("ana", NOTE_RATE), ("ana", "events"), ("bob", NOTE_RATE), ("ana", NOTE_RATE)]
    assert [bool(await limited.wait_seconds(*call)) for call in calls] == [False, False, False, True]


async def test_the_burst_is_the_rate_times_the_burst_seconds():
    limited = rates(Clock(), **{NOTES_PER_SECOND: 5}, burst_seconds=10)
    assert sum([await limited.wait_seconds("ana", NOTE_RATE) == 0 for _ in range(100)]) == 50


async def test_a_rate_below_one_still_allows_one_event():
    assert await rates(Clock(), **{NOTES_PER_SECOND: 0.01}, burst_seconds=1).wait_seconds("ana", NOTE_RATE) == 0


async def test_a_sweep_removes_only_full_buckets():
    clock = Clock()
    limited = rates(clock, **{NOTES_PER_SECOND: 1}, burst_seconds=2)
    await limited.wait_seconds("ana", NOTE_RATE)
    clock.now = 0.5
    await limited.wait_seconds("bob", NOTE_RATE)
    clock.now = 1.2
    limited.sweep()
    assert set(limited._buckets) == {("bob", NOTE_RATE)}


async def test_a_sweep_gives_no_user_extra_tokens():
    clock = Clock()
    limited = rates(clock, **{NOTES_PER_SECOND: 1}, burst_seconds=1)
    await limited.wait_seconds("ana", NOTE_RATE)
    limited.sweep()
    assert await limited.wait_seconds("ana", NOTE_RATE) == 1


async def test_a_connection_counts_while_it_is_open():
    limits = ConnectionLimits(Settings(sockets_per_address=1), clock=Clock())
    with limits.counted("10.0.0.1"), limits.counted("10.0.0.2"):
        assert not await limits.is_address_full("10.0.0.1")
        with limits.counted("10.0.0.1"):
            assert (limits.connections, await limits.is_address_full("10.0.0.1")) == (3, True)
            assert not await limits.is_address_full("10.0.0.2")
    assert (limits.connections, await limits.is_address_full("10.0.0.1")) == (0, False)


def test_a_connection_that_ends_in_an_error_is_not_counted():
    limits = ConnectionLimits(Settings(), clock=Clock())
    with pytest.raises(RuntimeError), limits.counted("10.0.0.1"):
        raise RuntimeError
    assert limits.connections == 0
    assert not limits._sockets


def test_a_server_is_full_above_its_number_of_connections():
    limits = ConnectionLimits(Settings(connections=1), clock=Clock())
    with limits.counted("10.0.0.1"):
        assert not limits.is_full()
        with limits.counted("10.0.0.2"):
            assert limits.is_full()


def test_an_address_that_connects_too_fast_waits_alone():
    clock = Clock()
    limits = ConnectionLimits(Settings(connects_per_second_per_address=1), clock=clock)
    assert [limits.address_wait_seconds("10.0.0.1") for _ in range(3)] == [0, 0, 1]
    assert limits.address_wait_seconds("10.0.0.2") == 0
    clock.now += 2
    limits.sweep()
    assert not limits._new_by_address


def test_tcp_connections_of_an_address_are_limited():
    limits = ConnectionLimits(Settings(sockets_per_address=1), clock=Clock())
    assert [limits.accept("10.0.0.1") for _ in range(3)] == [True, True, False]
    assert limits.accept("10.0.0.2")
    assert all(limits.accept(None) for _ in range(9)), "a trusted proxy has the connections of many clients"
    for _ in range(3):
        limits.lose("10.0.0.1")
    assert limits.accept("10.0.0.1")
