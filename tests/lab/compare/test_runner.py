"""Tests the runner of the scenarios.

Each run gets a new server, a doubtful run is repeated, and a failure becomes a result.
"""

import asyncio
import contextlib
import re
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from lab.compare import one_run
from lab.compare.comparison import Comparison, Result
from lab.compare.runner import compare
from lab.results.claims import Claim, load_claims
from lab.results.run import LATE_SECONDS, Run
from lab.scenarios.catalogue import load_scenarios
from lab.scenarios.scenario import Scenario
from lab.servers import probe_client, process
from lab.servers.target import Target

SPINNING = Path(__file__).parents[1] / "servers"
CLAIM = Claim(
    id="03",
    slug="fake",
    title="A fake claim",
    finding="{bad} %, or {good} %.",
    metric="messages received",
    unit="%",
    better="higher",
    best=100,
    worst=0,
    bad_at_most=5,
    good_at_least=100,
    reason="for the test",
)
RAISED = {"SERVER_SOCKETS_PER_ADDRESS": "1000"}


async def by_side(target: Target, *, seed: int) -> Run:
    return Run(100.0 if target.namespace == "/" else 0.0)


def scenario(measure: Any, *, alone: bool = False) -> Scenario:
    return Scenario(measure, settings=RAISED, runs_alone=alone)


async def compare_claim(measure: Any, *, claim: Claim = CLAIM, alone: bool = False) -> Comparison:
    return await compare([claim], scenarios={claim.id: scenario(measure, alone=alone)})


def test_every_claim_has_a_scenario_and_every_scenario_a_claim() -> None:
    assert [claim.id for claim in load_claims()] == [f"{number:02}" for number in range(1, 11)]
    assert set(load_scenarios()) == {claim.id for claim in load_claims()}


async def test_the_same_scenario_runs_on_a_new_server_of_each_side() -> None:
    pids: dict[str, int] = {}

    async def record(target: Target, *, seed: int) -> Run:
        pids[target.namespace] = (await target.probe.read()).pid
        return await by_side(target, seed=seed)

    comparison = await compare_claim(record)
    assert comparison.is_shown
    assert set(pids) == {"/", "/mistake-03"}
    assert len(set(pids.values())) == 2
    assert RAISED.items() <= comparison.environment["raised_limits"].items()


async def test_with_two_workers_a_side_has_two_processes(redis_program: str) -> None:
    ports: dict[str, int] = {}

    async def record(target: Target, *, seed: int) -> Run:
        ports[target.namespace] = len(set(target.ports))
        return await by_side(target, seed=seed)

    comparison = await compare([CLAIM], scenarios={CLAIM.id: scenario(record)}, workers=2)
    assert ports == {"/": 2, "/mistake-03": 2}
    assert (comparison.is_shown, comparison.workers, comparison.before_any_cut) == (True, 2, [])


@pytest.mark.slow
async def test_a_doubtful_side_is_measured_twice_more_with_other_seeds() -> None:
    seeds: list[int] = []

    async def differ(target: Target, *, seed: int) -> Run:
        if target.namespace != "/":
            return Run(0.0)
        seeds.append(seed)
        return Run(99.0 if len(seeds) == 1 else 100.0)

    comparison = await compare_claim(differ)
    assert seeds == [7, 8, 9]
    assert comparison.results[0].verdict.outcome == "inconclusive"
    assert not comparison.is_shown


async def test_a_run_with_a_failed_precondition_is_not_repeated() -> None:
    async def break_down(target: Target, *, seed: int) -> Run:
        return Run(50.0, broken="nobody came")

    (result,) = (await compare_claim(break_down)).results
    assert [len(runs) for runs in result.runs.values()] == [1, 1]
    assert result.verdict.reason == "bad: nobody came"


async def test_an_error_in_a_scenario_becomes_the_reason() -> None:
    async def fail(target: Target, *, seed: int) -> Run:
        async with asyncio.TaskGroup():
            raise RuntimeError("the disk is full\nsecond line")

    (result,) = (await compare_claim(fail, alone=True)).results
    assert (result.verdict.outcome, result.verdict.reason) == ("not_shown", "bad: RuntimeError: the disk is full")


async def test_a_scenario_that_hangs_is_stopped(monkeypatch: Any) -> None:
    monkeypatch.setattr(one_run, "RUN_SECONDS", 1.0)

    async def hang(target: Target, *, seed: int) -> Run:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    (result,) = (await compare_claim(hang)).results
    assert result.verdict.reason == "bad: not finished within 1 s"


@pytest.mark.parametrize("kind", [pytest.param("c", marks=pytest.mark.slow), "python"])
async def test_a_server_that_spins_does_not_hold_the_comparison(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SPINNING))
    monkeypatch.setitem(process.APPS, "bad", "spinning:create_app")
    monkeypatch.setattr(probe_client, "ANSWER_SECONDS", 1.0)

    async def spin(target: Target, *, seed: int) -> Run:
        if target.namespace != "/":
            async with aiohttp.ClientSession() as session:
                with contextlib.suppress(TimeoutError):
                    await session.get(f"{target.url}/spin/{kind}", timeout=aiohttp.ClientTimeout(total=0.3))
            await target.probe.read()
        return await by_side(target, seed=seed)

    other = CLAIM.model_copy(update={"id": "04"})
    scenarios = {"03": scenario(spin, alone=True), "04": scenario(by_side)}
    first, second = (await compare([CLAIM, other], scenarios=scenarios)).results
    assert first.verdict.outcome == "not_shown"
    expected = r"bad: the bad server \(process \d+\) did not answer its probe for 1 s: killed"
    assert re.fullmatch(expected, str(first.verdict.reason))
    assert second.verdict.outcome == "shown"


@pytest.mark.slow
async def test_only_scenarios_that_run_alone_do_not_overlap() -> None:
    running: list[str] = []
    most_at_once: dict[str, int] = {"03": 0, "04": 0}

    def measure_overlap(id: str) -> Any:
        async def record(target: Target, *, seed: int) -> Run:
            running.append(id)
            most_at_once[id] = max(most_at_once[id], len(running))
            await asyncio.sleep(0.5)
            running.remove(id)
            return await by_side(target, seed=seed)

        return record

    other = CLAIM.model_copy(update={"id": "04"})
    scenarios = {"03": scenario(measure_overlap("03"), alone=True), "04": scenario(measure_overlap("04"))}
    assert (await compare([CLAIM, other], scenarios=scenarios)).is_shown
    assert most_at_once == {"03": 1, "04": 2}


@pytest.mark.timing
async def test_a_timed_run_with_late_clients_is_repeated() -> None:
    calls = 0

    async def oversleep_once(target: Target, *, seed: int) -> Run:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.02)
        if calls == 1:
            time.sleep(LATE_SECONDS * 2)  # noqa: ASYNC251 - the test is about a late client process
        await asyncio.sleep(0.02)
        return await by_side(target, seed=seed)

    (result,) = (
        await compare_claim(oversleep_once, claim=CLAIM.model_copy(update={"timed": True}), alone=True)
    ).results
    assert result.runs["bad"][0].lateness_seconds > LATE_SECONDS
    assert [len(runs) for runs in result.runs.values()] == [3, 1]
    assert result.verdict.outcome == "shown"


async def test_progress_is_reported_during_the_comparison() -> None:
    reported: list[Any] = []

    def record(claim: Claim, side: str, phase: str) -> None:
        reported.append((claim.id, side, phase))

    def finished(result: Result) -> None:
        reported.append(result.verdict.outcome)

    await compare([CLAIM], scenarios={"03": scenario(by_side, alone=True)}, progress=record, finished=finished)
    runs = [("03", side, phase) for side in ("bad", "good") for phase in ("started", "ended")]
    assert reported == [*runs, "shown"]


async def test_an_interruption_stops_every_server() -> None:
    started = asyncio.Event()
    targets: list[Target] = []

    async def hang(target: Target, *, seed: int) -> Run:
        targets.append(target)
        started.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    comparison = asyncio.create_task(compare_claim(hang))
    await asyncio.wait_for(started.wait(), 20)
    comparison.cancel()
    await asyncio.wait([comparison], timeout=20)
    assert comparison.cancelled()
    for target in targets:
        attempts = await asyncio.gather(asyncio.open_connection("127.0.0.1", target.port), return_exceptions=True)
        assert isinstance(attempts[0], ConnectionRefusedError)
