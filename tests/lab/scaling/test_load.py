"""Two processes beside one: what lesson 12 measures, small, and by counts and CPU alone."""

import statistics

import pytest
from lab.bench.crowd import LoadError
from lab.scaling import load, measure
from lab.scaling.load import ByteCounter
from lab.scaling.resource_meter import ResourceUse

AT_LEAST = 1.7
# as with the claims: one that misses its bound is measured again, and the median decides
TRIES_IN_DOUBT = 3


@pytest.mark.timeout(180)
async def test_two_processes_deliver_nearly_twice_as_much_by_their_own_cpu(redis_program):
    measured = []
    while not measured or (measured[0] < AT_LEAST and len(measured) < TRIES_IN_DOUBT):
        spread = await measure.throughput(members=400, seconds=0.6, rounds=5)
        # by the clock the load generator's share of two cores is missing, and this machine's other work
        measured.append(spread.times(measure.by_the_busiest))
    assert statistics.median(measured) >= AT_LEAST, measured


@pytest.mark.timeout(120)
async def test_two_processes_share_the_work_evenly_and_redis_has_little_of_it(redis_program):
    spread = await measure.throughput(members=400, seconds=0.3)
    for run in spread.runs[2]:
        first, second = run.server_seconds
        assert 0.75 < first / second < 1.33
        assert run.redis_seconds < 0.1 * max(first, second)


@pytest.mark.timeout(120)
async def test_what_redis_costs_is_more_than_nothing_and_hearing_is_cheaper_than_serving(redis_program):
    costs = await measure.costs(requests=1500, members=200, connections=300)
    assert 0 < costs.receive < costs.event
    assert 0 < costs.redis_per_emit < costs.with_id
    assert 0 < costs.delivery < costs.receive
    assert 2000 < costs.memory_bytes_per_connection < 100_000
    assert {place: len(waited) for place, waited in costs.latencies.items()} == {
        "same process": 60,
        "other process": 60,
    }


async def test_a_total_waits_for_as_many_bytes_as_are_wanted():
    total = ByteCounter()
    total.add(3)
    await total.reach(3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "STEP_SECONDS", 0.01)
        with pytest.raises(LoadError, match="2 bytes had not come"):
            await total.reach(5)


def test_what_the_busiest_process_bears_leaves_the_others_out():
    run = ResourceUse(100, 2.0, (0.5, 1.0), 0.1, 0, 0.3)
    assert (run.each_second, run.each_busiest_second) == (50, 100)
