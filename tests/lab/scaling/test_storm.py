"""Test the reconnect storm: its delays, values, and a short one."""

import asyncio
import dataclasses
import json
import math
import random
import statistics
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

import pytest
from lab.scaling import listen_queue, storm, storm_report
from lab.scaling.stock_backoff import Backoff
from lab.scaling.storm_clients import Attempt, Outcome
from lab.scaling.storm_report import effect
from lab.scaling.storm_results import BOTH, CONDITIONS, NEITHER, STORM_SECONDS, Condition, Storm, Storms, wait
from lab.system.exit_codes import UsageError

DRAWS = 4000
# samples of this size from one distribution differ more in fewer than one of ten thousand cases
MOST_DIFFERENCE = 0.05
NODE_SECONDS = 60


def drawn(backoff: Backoff) -> list[list[float]]:
    chance = random.Random(3)  # noqa: S311 - no secret
    return [[backoff.delay(attempt, chance) for attempt in range(6)] for _ in range(DRAWS)]


def test_a_client_without_jitter_waits_the_stock_delays() -> None:
    assert drawn(Backoff(jitter=0.0))[0] == [1, 2, 4, 5, 5, 5]


def test_jitter_spreads_only_the_first_attempts() -> None:
    by_attempt = list(zip(*drawn(Backoff()), strict=True))
    bounds = [(min(delays), max(delays)) for delays in by_attempt]
    # the earliest is not a half: numbers from 0.9 on always mean later
    expected = [(0.55, 1.5), (1.1, 3.0), (2.2, 5.0), (4.4, 5.0), (5.0, 5.0), (5.0, 5.0)]
    for found, wanted in zip(bounds, expected, strict=True):
        assert found == pytest.approx(wanted, rel=0.01)


def largest_difference(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the largest difference of the two cumulative distributions.

    It is the statistic of the Kolmogorov-Smirnov test. The client library cuts its delays to milliseconds.
    """
    first, second = (sorted(int(1000 * delay + 1e-6) for delay in delays) for delays in (ours, theirs))
    places = sorted({*first, *second})
    return max(abs(bisect_right(first, at) - bisect_right(second, at)) for at in places) / len(first)


@pytest.mark.timeout(240)
async def test_the_delays_are_those_of_a_stock_client(javascript: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        "node", str(javascript / "stock_backoff.mjs"), str(DRAWS), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(NODE_SECONDS):
        output, _ = await process.communicate()
    stock = json.loads(output)
    assert stock["none"] == drawn(Backoff(jitter=0.0))[0]
    for theirs, ours in zip(zip(*stock["jitter"], strict=True), zip(*drawn(Backoff()), strict=True), strict=True):
        assert largest_difference(ours, theirs) < MOST_DIFFERENCE
        assert statistics.mean(ours) == pytest.approx(statistics.mean(theirs), rel=0.03)


def made_up(condition: Condition = NEITHER, *, factor: float = 1.0, missing: int = 0) -> Storm:
    outcomes: list[Outcome] = ["unreachable", "refused", "accepted", "accepted"]
    attempts = [Attempt(number, number + 0.25 * factor, outcome) for number, outcome in enumerate(outcomes)]
    return Storm(condition, 2.0, [2.2, 3.3 * factor], missing, attempts, [(2.1, 0.01 * factor)], 1.5, 0.9, 0.1, 7)


def made_up_storms(**changed: float) -> Storms:
    runs = [made_up(condition, factor=changed.get(condition.name.replace(" ", "_"), 1.0)) for condition in CONDITIONS]
    return Storms(100, 25, runs)


def test_attempts_are_counted_by_outcome_and_slot() -> None:
    run = made_up()
    assert [run.count(outcome) for outcome in ("accepted", "refused", "unreachable", "timeout")] == [2, 1, 1, 0]
    assert run.accepted_per_second(0.5) == [(at / 2, 2.0 if at in (4, 6) else 0.0) for at in range(7)]
    assert run.logins == [0.25, 0.25]


def test_a_client_that_never_came_back_waited_longest() -> None:
    assert wait(100)(made_up()) == 3.3
    assert wait(100)(made_up(missing=1)) == STORM_SECONDS


def test_the_table_has_a_column_per_condition() -> None:
    head, *rows = storm_report.rows(made_up_storms())
    assert head == [
        "",
        "no jitter, no admission",
        "with jitter, no admission",
        "no jitter, with admission",
        "with jitter, with admission",
    ]
    assert {len(row) for row in rows} == {5}
    assert ["… refused by admission (503)", "1", "1", "1", "1"] in rows


def test_a_condition_that_makes_it_worse_is_reported() -> None:
    found = made_up_storms(**{"with_jitter,_no_admission": 3.0})
    (ack,) = (line for line in storm_report.statements(found) if "unrelated" in line)
    assert "neither 0.01 s; jitter 0.03 s (3 times as much); admission 0.01 s (about equal)" in ack


def test_two_conditions_are_reported_without_the_others() -> None:
    found = Storms(100, 25, [made_up(NEITHER), made_up(BOTH, factor=3.0)])
    head, *rows = storm_report.rows(found)
    assert head == ["", NEITHER.name, BOTH.name]
    assert {len(row) for row in rows} == {3}
    (ack,) = (line for line in storm_report.statements(found) if "unrelated" in line)
    assert ack.endswith("neither 0.01 s; both 0.03 s (3 times as much).")
    drawing = storm_report.draw(found)
    assert [axes.get_title(loc="left") for axes in drawing.axes] == [NEITHER.name, BOTH.name]
    assert [one["jitter"] for one in json.loads(storm_report.as_json(found, "a machine"))["conditions"]] == [
        False,
        True,
    ]


def test_unequal_restarts_are_doubted() -> None:
    equal = made_up_storms()
    assert not [line for line in storm_report.statements(equal) if "idle machine" in line]
    late = dataclasses.replace(equal.runs[0], server_back=4.0)
    unequal = dataclasses.replace(equal, runs=[late, *equal.runs[1:]])
    assert "away for 2 to 4 s" in storm_report.statements(unequal)[-1]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (1.0, 1.1, "about equal"),
        (1.0, 2.0, "2 times as much"),
        (2.0, 1.0, "2 times less"),
        (0.0, 0.0, "about equal"),
        (0.0, 3.0, "higher"),
        (3.0, 0.0, "lower"),
        (math.nan, 3.0, "not measured"),
    ],
)
def test_an_effect_in_words(before: float, after: float, words: str) -> None:
    assert effect(before, after) == words


def test_the_json_has_every_run_and_the_figure_every_panel() -> None:
    found = made_up_storms()
    document = json.loads(storm_report.as_json(found, "a machine"))
    assert [(one["jitter"], one["admission"]) for one in document["conditions"]] == [
        (False, False),
        (True, False),
        (False, True),
        (True, True),
    ]
    assert document["conditions"][0]["runs"][0]["refused"] == 1
    drawing = storm_report.draw(found)
    assert [axes.get_title(loc="left") for axes in drawing.axes] == [condition.name for condition in CONDITIONS]


def test_dropped_connects_are_read_from_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = tmp_path / "netstat"
    monkeypatch.setattr(listen_queue, "NETSTAT", table)
    assert math.isnan(listen_queue.listen_overflows())
    table.write_text("TcpExt: Syncookies ListenOverflows\nTcpExt: 3 17\nIpExt: InNoRoutes\nIpExt: 5\n")
    assert listen_queue.listen_overflows() == 17


def test_too_few_open_files_are_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storm, "raise_open_files", lambda _: None)
    monkeypatch.setattr(storm, "open_files", lambda: 256)
    with pytest.raises(UsageError, match=r"2,000 clients need 2,300 open files, and 256 are allowed \(ulimit -n\)"):
        storm.check_open_files(2000)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_all_clients_come_back_after_a_restart() -> None:
    found = await storm.storms(clients=60, rounds=1)
    assert [run.condition for run in found.runs] == list(CONDITIONS)
    for run in found.runs:
        assert (len(run.waits), run.missing, run.count("accepted")) == (60, 0, 60)
        # nobody is back before the server is
        assert min(run.waits) > storm.AWAY_SECONDS
        assert run.count("unreachable") >= 60
        assert run.acks
        assert run.cpu_seconds > 0
        if not run.condition.has_admission:
            assert run.count("refused") == 0
    by_condition = {run.condition: run for run in found.runs}
    # all of them arrive at once, and the burst of the admission is a quarter of them
    assert by_condition[Condition(has_jitter=False, has_admission=True)].count("refused") > 0
