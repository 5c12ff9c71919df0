"""Test what scenarios 07 to 10 trace for their figures."""

import inspect
from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import isnan

import pytest
from lab.clients.tab import STOCK_DELAYS
from lab.figures.connected_spans import spans_of
from lab.figures.report_waits import lanes_of
from lab.results.claims import load_claims
from lab.scenarios import s07_block_second_tab as s07
from lab.scenarios import s08_trust_client_rooms as s08
from lab.scenarios import s09_heavy_work_in_handler as s09
from lab.scenarios import s10_no_limits as s10
from lab.scenarios.catalogue import load_scenarios
from lab.servers.running import running

from good_server.settings import Settings

# two tabs may overlap by the time in which a client notices that its connection is lost
NOTICE_SECONDS = 0.25


def test_what_a_scenario_leaves_out_is_no_size_of_it() -> None:
    left_out = {claim_id: dict(scenario.primary_only) for claim_id, scenario in load_scenarios().items()}
    assert {claim_id for claim_id, parameters in left_out.items() if parameters} == {"01", "09"}
    for claim_id, parameters in left_out.items():
        defaults = inspect.signature(load_scenarios()[claim_id].run).parameters
        # only parts that are on by default are turned off; every number stays as it is
        assert all(value is False and defaults[name].default is True for name, value in parameters.items())


def test_claim_07_names_the_delays_of_its_clients() -> None:
    (claim,) = [claim for claim in load_claims() if claim.id == "07"]
    (row,) = [also for also in claim.also if also.key == "reconnects_per_second"]
    assert row.metric == f"reconnects, with the client's stock delays ({STOCK_DELAYS})"


@pytest.mark.slow
async def test_the_tabs_of_07_reconnect_at_the_stock_pace() -> None:
    users, each = 3, 3
    async with running("bad", settings=s07.SETTINGS) as server:
        run = await s07.run(server.target(7), users=users, each=each)
    # a tab waits half a second or more before each reconnect
    assert 0 < run.also["reconnects_per_second"] < users * each / (STOCK_DELAYS.first - STOCK_DELAYS.jitter)
    spans = sorted(span for tab in run.details["users"][:each] for span in spans_of(tab, run.details["seconds"]))
    assert len(spans) > each
    for (_, end), (start, _) in pairwise(spans):
        assert end - start < NOTICE_SECONDS


@pytest.mark.slow
async def test_an_evicted_tab_of_07_stays_away() -> None:
    settings = {**s07.SETTINGS, "SERVER_SOCKETS_PER_USER": "1"}
    async with running("good", settings=settings) as server:
        run = await s07.run(server.target(7), users=3, each=3, window_seconds=2.0)
    assert run.also["reconnects_per_second"] == 0
    assert run.value == pytest.approx(100 / 3)


@pytest.mark.parametrize("side", ["bad", "good"])
async def test_everyone_in_08_asks_for_every_room(side: str) -> None:
    async with running(side) as server:
        run = await s08.run(server.target(8), rounds=1)
    meant = [[one.is_for(person) for one in s08.SECRETS] for person in s08.PEOPLE]
    wrote = [[person == one.author for one in s08.SECRETS] for person in s08.PEOPLE]
    for row, person in enumerate(s08.PEOPLE):
        for column, one in enumerate(s08.SECRETS):
            was_read = run.details["reads"][row][column] > 0
            # the sending tab gets no copy of a chat message
            if not wrote[row][column]:
                assert was_read == (side == "bad" or meant[row][column]), (person.user, one.room)
            granted = side == "bad" or one.room in person.rooms
            assert run.details["granted"][row][column] == granted, (person.user, one.room)


@pytest.mark.slow
async def test_the_reports_of_09_run_one_after_the_other() -> None:
    async with running("bad", settings=s09.SETTINGS) as server:
        run = await s09.run(server.target(9), bystanders=2, reports=3, report_milliseconds=50)
    reports = run.details["reports"]
    assert len(reports) == 3
    assert all(0.05 <= report["cpu"] <= report["ready"] <= report["received"] for report in reports)
    assert len(lanes_of(reports)) == 1


@pytest.mark.slow
async def test_09_without_idle_times_has_the_same_primary_metric() -> None:
    short = replace(s09.SCENARIO, run=partial(s09.run, bystanders=4, reports=3)).without_secondary()
    async with running("bad", settings=s09.SETTINGS) as server:
        run = await short.run(server.target(9), seed=7)
    assert run.broken is None
    # the bystanders wait for more than one report
    assert run.value > 1
    assert run.details["idle"] == []
    assert isnan(run.also["idle_p99_milliseconds"])


@pytest.mark.slow
async def test_the_bucket_of_10_empties_in_a_flood_only() -> None:
    async with running("good") as server:
        run = await s10.run(server.target(10), bystanders=2, rooms=50, chats=200)
    burst, flood = run.details["levels"]["burst"], run.details["levels"]["flood"]
    most = burst["points"][0]["level"] + 1
    # the private name that the probe reads still holds the tokens: the first request leaves one less than all
    assert most == pytest.approx(server_burst())
    assert (burst["refused"], burst["taken"] >= s10.BURST) == (0, True)
    assert flood["refused"] > 0
    assert min(point["level"] for point in flood["points"]) < 1 < min(point["level"] for point in burst["points"])


def server_burst() -> float:
    fields = Settings.model_fields
    return float(fields["chat_per_second"].default * fields["burst_seconds"].default)


@pytest.mark.slow
async def test_the_bad_server_of_10_asks_no_bucket() -> None:
    async with running("bad") as server:
        run = await s10.run(server.target(10), bystanders=2, rooms=20, chats=20)
    assert run.details["levels"] == {name: {"points": [], "taken": 0, "refused": 0} for name in ("burst", "flood")}
