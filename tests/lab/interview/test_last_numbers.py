"""Tests of the numbers that `lab compare` records for the quiz."""

import os
import subprocess
import sys
from datetime import date

import pytest
from lab.cli.compare import _record_for_quiz
from lab.compare.comparison import Comparison, Result
from lab.interview import last_numbers
from lab.interview.last_numbers import LastNumbersError, load, record_comparison, save
from lab.interview.quotations import Numbers
from lab.results.claims import load_claims
from lab.results.run import Run
from lab.results.verdict import judge
from lab.system.state_folder import FOLDER

CLAIMS = {claim.id: claim for claim in load_claims()}
COMPARE_SECONDS = 150.0
MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(last_numbers, "last_numbers_path", lambda: tmp_path / "state" / "last-numbers.json")


def compared(id, bad, good, *, workers=1, **also):
    """Return a comparison of one claim with these values."""
    claim = CLAIMS[id]
    runs = {"bad": [Run(bad, also=also)], "good": [Run(good, also=also)]}
    return Comparison([Result(claim, runs, judge(claim, runs))], {}, 1.0, workers=workers)


def test_the_numbers_of_a_comparison_are_quoted():
    record_comparison(compared("02", 0, 100, sent_into_the_void=50, errors_seen=0), today=MONDAY)
    numbers = load().numbers()
    text = "{02.bad} and {02.good}, {02.sent_into_the_void.bad} lost"
    assert numbers.quote(text) == "0 and 100, 50 lost"
    assert (numbers.measured_on(text), numbers.missing(text), numbers.doubted(text)) == (MONDAY, [], [])
    assert numbers.quote("{02.finding}") == CLAIMS["02"].finding.format(bad="0", good="100")


def test_a_later_comparison_replaces_only_its_claims():
    record_comparison(compared("02", 0, 100), today=MONDAY)
    record_comparison(compared("03", 2, 100), today=MONDAY)
    record_comparison(compared("02", 4, 100), today=TUESDAY)
    numbers = load().numbers()
    assert numbers.quote("{02.bad} {03.bad}") == "4 2"
    # the oldest number decides
    assert numbers.measured_on("{02.bad} {03.bad}") == MONDAY
    assert numbers.measured_on("{02.bad}") == TUESDAY


def test_without_a_run_only_facts_are_known():
    numbers = load().numbers()
    assert numbers.missing("{02.bad} {asked.polling} {fact.ping_interval}") == ["02", "asked"]
    assert numbers.quote("{fact.ping_interval}").isdigit()


def test_live_answers_are_recorded_beside_the_claims():
    record_comparison(compared("02", 0, 100), today=MONDAY)
    last = load()
    last.add_live_answers({"polling": "400"}, today=TUESDAY)
    save(last)
    numbers = load().numbers()
    assert numbers.quote("{02.good} {asked.polling}") == "100 400"
    assert numbers.measured_on("{asked.polling}") == TUESDAY


def test_a_claim_that_was_not_shown_is_doubted():
    record_comparison(compared("02", 60, 100), today=MONDAY)
    assert load().numbers().doubted("{02.bad}") == ["02"]


def test_a_run_of_two_processes_is_not_recorded():
    record_comparison(compared("02", 0, 100, workers=2), today=MONDAY)
    assert not last_numbers.last_numbers_path().exists()


def test_a_number_of_another_metric_is_not_quoted():
    record_comparison(compared("02", 0, 100), today=MONDAY)
    path = last_numbers.last_numbers_path()
    path.write_text(path.read_text().replace(CLAIMS["02"].metric, "an older metric"))
    assert load().numbers().missing("{02.bad}") == ["02"]


def test_a_run_that_does_not_count_keeps_the_older_number():
    record_comparison(compared("02", float("nan"), 100), today=MONDAY)
    assert load().numbers().missing("{02.good}") == ["02"]
    record_comparison(compared("02", 1, 100), today=MONDAY)
    record_comparison(compared("02", float("nan"), 100), today=TUESDAY)
    assert load().numbers().quote("{02.bad}") == "1"
    assert load().numbers().measured_on("{02.bad}") == MONDAY


def test_a_secondary_metric_that_was_not_measured_is_missing():
    record_comparison(compared("02", 0, 100), today=MONDAY)
    assert load().numbers().missing("{02.errors_seen.bad}") == ["02"]


def test_a_broken_file_is_reported_and_then_replaced():
    path = last_numbers.last_numbers_path()
    path.parent.mkdir()
    path.write_text("[]")
    with pytest.raises(LastNumbersError, match="the next lab compare writes it anew"):
        load()
    record_comparison(compared("02", 0, 100), today=MONDAY)
    assert load().claims.keys() == {"02"}


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "state").write_text("a file in place of the folder")
    with pytest.raises(LastNumbersError, match="cannot write"):
        record_comparison(compared("02", 0, 100), today=MONDAY)


def test_a_compare_that_cannot_record_says_so_in_one_line(tmp_path, capsys):
    (tmp_path / "state").write_text("a file in place of the folder")
    _record_for_quiz(compared("02", 0, 100))
    error = capsys.readouterr().err
    assert error.startswith("lab: the numbers are not kept for lab quiz: cannot write ")
    assert error.count("\n") == 1


@pytest.mark.slow
@pytest.mark.timeout(COMPARE_SECONDS)
@pytest.mark.skipif(sys.platform != "linux", reason="the state folder is set by XDG_STATE_HOME")
def test_the_command_compare_records_what_it_measured(tmp_path):
    command = [sys.executable, "-m", "lab", "compare", "--only", "03"]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=COMPARE_SECONDS)
    path = tmp_path / FOLDER / "last-numbers.json"
    assert last_numbers.LastNumbers.model_validate_json(path.read_bytes()).claims["03"].good == 100
    assert [path.name for path in path.parent.iterdir()] == ["last-numbers.json"]


def test_a_missing_number_is_an_error_when_quoted():
    with pytest.raises(KeyError):
        Numbers({}).quote("{02.bad}")
