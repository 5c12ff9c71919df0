"""Test the recommended settings, and the file of the costs."""

import dataclasses
import re
from pathlib import Path

import orjson
import pytest
from lab.scaling import costs_file
from lab.scaling.capacity import Assumed, Measured, Plan, plan
from lab.scaling.costs_file import MeasuredCosts
from lab.scaling.measure import Costs
from lab.scaling.recommend import recommendations
from lab.system.exit_codes import UsageError

from good_server.settings import Settings

COSTS = Costs(50e-6, 20e-6, 10e-6, 200e-6, 4e-6, 20e-6, 1e-6, 14_000, 500e-6, 200, 30)
ASSUMED = Assumed()
MEASURED = MeasuredCosts(COSTS, "a machine", "2026-01-01")


def planned(drivers: int, shards: int = 1) -> Plan:
    return plan(drivers, Measured.of(COSTS), ASSUMED, shards=shards)


def settings(drivers: int, shards: int = 1) -> dict[str, int]:
    return {one.setting: one.value for one in recommendations(planned(drivers, shards), COSTS, ASSUMED)}


def test_one_process_gets_its_connections_and_some_spare() -> None:
    assert planned(8000).processes == 1
    # 8,000 drivers and 400 watchers, and a quarter more
    assert settings(8000)["SERVER_CONNECTIONS"] == 10_500


def test_the_others_carry_all_when_one_process_restarts() -> None:
    several = planned(40_000)
    assert several.processes is not None
    assert several.processes > 1
    needed = several.connections / (several.processes - 1)
    assert settings(40_000)["SERVER_CONNECTIONS"] >= needed


def test_connects_use_what_the_plan_leaves_of_a_core() -> None:
    assert settings(1000)["SERVER_CONNECTS_PER_SECOND"] == 1000


def test_the_send_queue_holds_the_traffic_of_a_slow_watcher() -> None:
    watched = dataclasses.replace(ASSUMED, watchers_per_driver=300.0)
    found = {one.setting: one for one in recommendations(planned(1000), COSTS, watched)}
    # 0.5 positions per second, 300 watchers for each, one watcher for 20 drivers, 20 s, 200 bytes
    assert found["SERVER_OUTBOX_MESSAGES"].value == 60_000
    assert found["SERVER_OUTBOX_BYTES"].value == 12_000_000
    assert "60,000" not in found["SERVER_OUTBOX_BYTES"].computation
    assert "12,000,000" in found["SERVER_OUTBOX_BYTES"].computation


def test_two_of_the_largest_frames_fit_into_the_send_queue() -> None:
    assert settings(1000)["SERVER_OUTBOX_BYTES"] >= 2 * Settings.model_fields["max_frame_bytes"].default


def test_files_suffice_for_all_tcp_connections() -> None:
    found = settings(8000)
    assert found["LimitNOFILE"] == 2 * found["SERVER_CONNECTIONS"] + COSTS.other_files


def test_every_recommended_setting_exists() -> None:
    names = {f"SERVER_{name.upper()}" for name in Settings.model_fields}
    assert settings(10_000).keys() - names == {"LimitNOFILE"}


def test_every_setting_has_a_computation_in_one_line() -> None:
    for one in recommendations(planned(10_000), COSTS, ASSUMED):
        assert re.search(r"\d", one.computation)
        assert "\n" not in one.computation


def test_an_impossible_plan_has_no_settings() -> None:
    impossible = planned(100_000_000)
    assert impossible.processes is None
    with pytest.raises(ValueError, match="not possible"):
        recommendations(impossible, COSTS, ASSUMED)


def test_costs_are_read_as_they_were_written(tmp_path: Path) -> None:
    plans = [planned(10_000)]
    written = costs_file.as_json(MEASURED, ASSUMED, plans, recommendations(plans[0], COSTS, ASSUMED))
    (tmp_path / "plan.json").write_bytes(written)
    assert costs_file.read_costs(tmp_path / "plan.json") == MEASURED
    assert orjson.loads(written)["plans"][0]["drivers"] == 10_000


NUMBERS = dataclasses.asdict(COSTS)
WRONG = [
    (b"no JSON", "not a JSON file"),
    (b"[]", "no measured costs"),
    (b'{"measured": []}', "no measured costs"),
    *(
        (orjson.dumps({"measured": {"costs": costs}}), "no measured costs")
        for costs in (
            {},
            {**NUMBERS, "connect": 0},
            {**NUMBERS, "connect": "cheap"},
            {**NUMBERS, "connect": True},
            {**NUMBERS, "event": -1e-6},
            {**NUMBERS, "more": 1},
        )
    ),
]


@pytest.mark.parametrize(("content", "message"), WRONG)
def test_a_file_without_costs_is_a_usage_error(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(content)
    with pytest.raises(UsageError, match=message) as raised:
        costs_file.read_costs(tmp_path / "plan.json")
    assert "\n" not in str(raised.value)


def test_the_machine_is_one_line() -> None:
    assert re.fullmatch(r".+, \d+ CPUs \(.+\), Python 3\.\d+\.\d+\S*, python-socketio \S+", costs_file.machine())
