"""Test the capacity plan of lesson 12: its arithmetic and its limits."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab.scaling import capacity
from lab.scaling.capacity import Assumed, Measured, max_drivers_in_one_shard, plan, rows, shards_needed
from lab.scaling.figures import capacity_lines
from lab.scaling.measure import Costs

MEASURED = Measured(14_000, 1e-6, 50e-6, 20e-6, 10e-6, 100e-6, 2e-6, 10e-6)
ASSUMED = Assumed()
seconds = st.floats(1e-7, 1e-4)
measurements = st.builds(Measured, st.floats(1e3, 1e5), *[seconds] * 5, st.floats(1e-7, 1e-5), st.floats(1e-7, 1e-4))


@given(measurements, st.integers(1, 200_000))
def test_a_plan_has_the_smallest_number_of_processes(measured, drivers):
    planned = plan(drivers, measured, ASSUMED)
    if planned.processes is None:
        return
    load = planned.emits_per_second, planned.processes, measured
    assert capacity._process_share(*load, ASSUMED) <= ASSUMED.core_share
    assert planned.connections <= planned.processes * ASSUMED.connections_per_process
    if planned.limit == "CPU of a process":
        fewer = planned.processes - 1
        assert capacity._process_share(load[0], fewer, measured, ASSUMED) > ASSUMED.core_share


@given(measurements)
def test_one_shard_serves_no_more_drivers_than_its_limit(measured):
    limit = max_drivers_in_one_shard(measured, ASSUMED)
    assert plan(limit, measured, ASSUMED).processes is not None
    assert plan(2 * limit + 2, measured, ASSUMED).processes is None


@given(measurements, st.sampled_from(capacity.FLEET_SIZES))
def test_shards_serve_a_fleet_that_one_channel_cannot(measured, drivers):
    shards = shards_needed(drivers, measured, ASSUMED)
    assert plan(drivers, measured, ASSUMED, shards=shards).processes is not None
    assert shards == 1 or plan(drivers, measured, ASSUMED, shards=shards // 2).processes is None


def test_a_plan_names_its_first_bottleneck():
    drivers = 4 * max_drivers_in_one_shard(MEASURED, ASSUMED)
    assert plan(drivers, MEASURED, ASSUMED).limit == "the one core of Redis"
    cheap = replace(MEASURED, redis_seconds_per_receive=1e-12, redis_seconds_per_request=1e-12)
    assert plan(50 * drivers, cheap, ASSUMED).limit == "receiving every emit"


def test_few_drivers_need_one_process_and_no_redis():
    planned = plan(1000, MEASURED, ASSUMED)
    assert (planned.processes, planned.redis_share) == (1, 0)


def test_the_table_has_every_fleet_size_and_the_figure_the_limit():
    table = rows(MEASURED, ASSUMED)
    assert {row[0] for row in table} == {f"{size:,}" for size in capacity.FLEET_SIZES}
    assert {len(row) for row in table} == {len(capacity.HEAD)}
    assert "one core" in capacity_lines(MEASURED, ASSUMED).axes[0].texts[0].get_text()


def test_rate_sync_costs_redis_and_the_server_processes():
    drivers, no_sync = 40_000, replace(ASSUMED, redis_requests_per_position=0)
    with_sync, without_sync = plan(drivers, MEASURED, ASSUMED), plan(drivers, MEASURED, no_sync)
    assert ASSUMED.redis_requests_per_position == 1 / 4 + 1 / 40
    assert with_sync.processes > without_sync.processes
    assert with_sync.redis_share > without_sync.redis_share


def test_an_impossible_fleet_raises_an_error(monkeypatch):
    monkeypatch.setattr(capacity, "MAX_SHARDS", 1)
    with pytest.raises(ValueError, match="no number of shards"):
        shards_needed(10_000_000, MEASURED, ASSUMED)


def test_costs_measured_for_two_are_converted_to_one():
    costs = Costs(50e-6, -3e-6, 10e-6, 250e-6, 4e-6, 20e-6, 1e-6, 14_000, 400e-6, 200, 20)
    assert Measured.of(costs) == Measured(14_000, 1e-6, 50e-6, 0.0, 10e-6, 125e-6, 2e-6, 10e-6)


def test_noise_makes_no_cost_negative():
    noisy = Costs(50e-6, -3e-6, 10e-6, -1e-6, 4e-6, -2e-6, 1e-6, 14_000, 400e-6, 200, 20)
    assert min(vars(Measured.of(noisy)).values()) == 0.0
