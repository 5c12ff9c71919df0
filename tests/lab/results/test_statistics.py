"""Tests percentiles, slopes, and the lateness of the clients' process."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab.results.lateness import Lateness
from lab.results.statistics import percentile, slope


def test_a_percentile_is_interpolated_between_its_neighbours() -> None:
    assert percentile([10, 20, 30, 40], 50) == 25
    assert percentile([3], 99) == 3


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 100))
def test_a_percentile_is_never_outside_its_samples(samples: list[float], q: float) -> None:
    assert min(samples) - 1e-6 <= percentile(samples, q) <= max(samples) + 1e-6


def test_a_percentile_without_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 50)


def test_a_slope_is_found_through_noise_that_cancels_out() -> None:
    assert slope([0, 1, 2, 3], [1, 3, 3, 5]) == pytest.approx(1.2)


async def test_a_blocked_event_loop_is_measured_as_lateness() -> None:
    async with Lateness() as lateness:
        import asyncio

        await asyncio.sleep(0.02)  # so that the sampler sleeps when the loop is blocked
        time.sleep(0.1)  # noqa: ASYNC251 - the test is about a blocked loop
        await asyncio.sleep(0.02)
    assert lateness.worst_seconds > 0.05
