"""The comparison around the scenarios: fresh servers, again where in doubt, and no exception for anyone."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from lab import page, report
from lab.claims import Claim
from lab.compare import Comparison, compare
from lab.measure import Run
from lab.servers import Target

CLAIM = Claim(
    id="03",
    slug="fake",
    title="A <fake> claim",
    metric="messages received",
    unit="%",
    better="higher",
    bad_at_most=5,
    good_at_least=100,
    reason="for the test",
)


def scenario(measure: Any, *, alone: bool = False) -> Any:
    return SimpleNamespace(SETTINGS={"SERVER_SOCKETS_PER_ADDRESS": "1000"}, ALONE=alone, run=measure)


async def by_side(target: Target, *, seed: int) -> Run:
    return Run(100.0 if target.namespace == "/" else 0.0)


async def compared(measure: Any, **options: Any) -> Comparison:
    return await compare([CLAIM], known={"03": scenario(measure, **options)})


async def test_the_same_scenario_runs_on_both_sides_and_is_told_alike() -> None:
    comparison = await compared(by_side)
    assert comparison.is_shown
    document = json.loads(report.as_json(comparison))
    (claim,) = document["claims"]
    assert (claim["bad"], claim["good"], claim["verdict"], claim["reason"]) == (0, 100, "shown", None)
    assert (claim["bad_at_most"], claim["good_at_least"]) == (5, 100)
    assert claim["runs"] == {"bad": [0], "good": [100]}
    assert document["environment"]["raised_limits"] == {"SERVER_SOCKETS_PER_ADDRESS": "1000"}
    assert "| 03 | A <fake> claim | messages received (%) | 0 | 100 | shown |" in report.as_markdown(comparison)
    whole_page = page.as_html(comparison)
    assert "A &lt;fake&gt; claim" in whole_page
    assert "<svg" in whole_page
    assert "src=" not in whole_page


async def test_a_doubtful_side_is_measured_twice_more_with_other_seeds() -> None:
    seeds: list[int] = []

    async def wavering(target: Target, *, seed: int) -> Run:
        if target.namespace != "/":
            return Run(0.0)
        seeds.append(seed)
        return Run(99.0 if len(seeds) == 1 else 100.0)

    comparison = await compared(wavering)
    assert seeds == [7, 8, 9]
    assert comparison.results[0].verdict.outcome == "inconclusive"
    assert not comparison.is_shown


async def test_a_scenario_that_fails_is_a_claim_not_shown_with_its_reason() -> None:
    async def fail(target: Target, *, seed: int) -> Run:
        raise RuntimeError("the roof is on fire\nreally")

    comparison = await compared(fail, alone=True)
    assert comparison.results[0].verdict.reason == "bad: RuntimeError: the roof is on fire"
    assert "03 NOT SHOWN" in report.remarks(comparison)[0]
    assert json.loads(report.as_json(comparison))["claims"][0]["bad"] is None
    assert page.as_html(comparison)


async def test_what_runs_alone_runs_with_nothing_beside_it() -> None:
    running = 0

    async def lonely(target: Target, *, seed: int) -> Run:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0.05)
        running -= 1
        return await by_side(target, seed=seed)

    assert (await compared(lonely, alone=True)).is_shown


async def test_late_clients_are_told() -> None:
    async def slow_to_look(target: Target, *, seed: int) -> Run:
        import time

        await asyncio.sleep(0.02)
        time.sleep(0.4)  # noqa: ASYNC251 - a client process that is late is what is tested
        await asyncio.sleep(0.02)
        return await by_side(target, seed=seed)

    told = report.remarks(await compared(slow_to_look, alone=True))
    assert any("clients' own process was late (03 by" in line for line in told)


@pytest.mark.parametrize(
    ("value", "text"), [(500, "500"), (12345.6, "12,346"), (0.1234, "0.123"), (float("nan"), "none"), (0, "0")]
)
def test_a_value_is_told_with_the_digits_that_count(value: float, text: str) -> None:
    assert report.number(value) == text
