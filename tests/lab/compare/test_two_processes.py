"""Tests what servers of two processes lose before any connection is cut."""

import pytest
from lab.compare.two_processes import measure_before_any_cut, scenario_without_cuts
from lab.results.claims import load_claims
from lab.servers.running import running

USERS = 8


@pytest.mark.parametrize(("side", "lesson", "arrives"), [("bad", 1, 50), ("bad", 5, 50), ("good", 1, 100)])
async def test_a_dict_knows_only_the_users_of_its_own_process(
    redis_program: str, side: str, lesson: int, arrives: float
) -> None:
    async with running(side, workers=2) as server:
        run = await scenario_without_cuts("chat").run(server.target(lesson), users=USERS)
    assert (run.value, run.broken) == (arrives, None)


async def test_both_sides_are_measured_with_one_and_two_processes(redis_program: str) -> None:
    claims = [claim for claim in load_claims() if claim.id in ("02", "03")]
    (row,) = await measure_before_any_cut(claims, workers=2)
    assert row.claim.id == "02"
    assert list(row.runs) == [("bad", 1), ("bad", 2), ("good", 1), ("good", 2)]
    assert (row.verdict.reason, row.fails) == (None, False)
    assert "100 % arrive" in row.finding
