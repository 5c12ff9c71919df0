"""Test `lab plan`: its table, settings and usage errors."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
from lab.__main__ import main
from lab.scaling import costs_file
from lab.scaling.capacity import Assumed
from lab.scaling.costs_file import MeasuredCosts
from lab.scaling.measure import Costs

COSTS = Costs(50e-6, 20e-6, 10e-6, 200e-6, 4e-6, 20e-6, 1e-6, 14_000, 500e-6, 200, 30)


@pytest.fixture
def costs(tmp_path: Path) -> str:
    file = tmp_path / "costs.json"
    file.write_bytes(costs_file.as_json(MeasuredCosts(COSTS, "a fast machine", "2026-01-01"), Assumed(), [], []))
    return str(file)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: --drivers"),
        (["--drivers", "0"], "--drivers: 0 is not a number from 1 to 1,000,000,000"),
        (["--drivers", "many"], "invalid int value: 'many'"),
        (["--drivers", "1", "--core-share", "1.5"], "--core-share: 1.5 is not a number above 0 and up to 0.95"),
        (["--drivers", "1", "--core-share", "nan"], "--core-share: nan is not a number"),
        (["--drivers", "1", "--positions-per-second", "0"], "--positions-per-second: 0 is not a number above 0"),
        (["--drivers", "1", "--costs", "/nowhere.json"], "cannot read /nowhere.json: No such file"),
        (["--drivers", "1", "--json", "."], "cannot write .: it is a folder"),
    ],
)
def test_a_wrong_argument_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("lab: ")
    assert message in error
    assert error.count("\n") == 1


def test_nothing_is_measured_without_redis(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["plan", "--drivers", "10"]) == 2
    assert capsys.readouterr().err.startswith("lab: redis-server is not installed")


def test_a_plan_names_its_machine_assumptions_and_settings(costs: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--drivers", "10000", "--costs", costs]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "10,500" in printed
    assert "Measured on a fast machine, at 2026-01-01" in printed
    assert "Assumed: 0.5 positions/s per driver" in printed
    for setting in ("SERVER_CONNECTIONS", "SERVER_CONNECTS_PER_SECOND", "SERVER_OUTBOX_BYTES", "LimitNOFILE"):
        assert f"│ {setting} │" in printed


def test_the_plan_changes_with_its_assumptions(costs: str, tmp_path: Path) -> None:
    file = str(tmp_path / "plan.json")
    assert main(["plan", "--drivers", "10000", "--costs", costs, "--positions-per-second", "2", "--json", file]) == 0
    document = json.loads(Path(file).read_text())
    assert document["assumed"]["positions_per_second"] == 2
    assert document["plans"][0]["emits_per_second"] == 20_000
    assert document["measured"]["costs"] == json.loads(Path(costs).read_text())["measured"]["costs"]


def test_a_fleet_that_no_shards_serve_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow = MeasuredCosts(dataclasses.replace(COSTS, event=1e12), "a slow machine", "2026-01-01")
    (tmp_path / "slow.json").write_bytes(costs_file.as_json(slow, Assumed(), [], []))
    assert main(["plan", "--drivers", "1000", "--costs", str(tmp_path / "slow.json")]) == 2
    assert capsys.readouterr().err == "lab: no plan for 1,000 drivers: no number of shards is enough\n"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_costs_are_measured_and_used_again(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lab", "plan", "--drivers", "10000"]
    done = subprocess.run(
        [*command, "--json", "plan.json"], cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr
    again = subprocess.run(
        [*command, "--costs", "plan.json"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert again.stdout == done.stdout
    assert again.stderr == ""
