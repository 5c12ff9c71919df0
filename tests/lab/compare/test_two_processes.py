"""Before any cut: what a mistake loses as soon as there are two processes, and what it does not lose yet."""

import pytest
from lab.compare.two_processes import measure_before_any_cut, scenario_without_cuts
from lab.results.claims import load_claims
from lab.servers.running import running

USERS = 8


@pytest.mark.parametrize(("side", "lesson", "arrives"), [("bad", 1, 50), ("bad", 5, 50), ("good", 1, 100)])
async def test_a_dict_knows_the_users_of_its_own_process_alone_and_rooms_know_all(
    redis_program: str, side: str, lesson: int, arrives: float
) -> None:
    async with running(side, workers=2) as server:
        run = await scenario_without_cuts("chat").run(server.target(lesson), users=USERS)
    assert (run.value, run.broken) == (arrives, None)


async def test_a_mistake_is_beside_the_good_server_as_one_process_and_as_two(redis_program: str) -> None:
    claims = [claim for claim in load_claims() if claim.id in ("02", "03")]
    (row,) = await measure_before_any_cut(claims, workers=2)
    assert row.claim.id == "02"
    assert list(row.runs) == [("bad", 1), ("bad", 2), ("good", 1), ("good", 2)]
    assert (row.verdict.reason, row.fails) == (None, False)
    assert "100 % arrive" in row.finding
