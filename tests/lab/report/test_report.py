"""Tests the reports of a comparison, and how their files are written."""

import dataclasses
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from lab.compare.comparison import Comparison, Result, environment
from lab.compare.two_processes import TwoProcessResult
from lab.figures.bars import COLOURS, side_by_side
from lab.report import terminal
from lab.report.html_page import as_html
from lab.report.json_document import as_json
from lab.report.readme_table import ReadmeError, find_readme, write_rows
from lab.results.claims import Claim, TwoProcessBounds
from lab.results.run import LATE_SECONDS, Run
from lab.results.verdict import judge
from lab.system import atomic_file
from rich.console import Console

CLAIM = Claim.model_validate(
    {
        "id": "04",
        "slug": "fake",
        "title": "A <fake> claim",
        "finding": "{bad} sent & {good} sent.",
        "metric": "ghost sends",
        "unit": "sends",
        "better": "lower",
        "best": 0,
        "worst": 50,
        "bad_at_least": 45,
        "good_at_most": 0,
        "reason": "for the test",
        "also": [
            {"key": "sql", "metric": "statements", "unit": "statements"},
            {"key": "p50", "metric": "delivery", "unit": "×", "relative": True},
        ],
    }
)
RAISED = {"SERVER_SOCKETS_PER_ADDRESS": "1000"}
HALF_ARRIVED = Run(50.0)


def comparison(*, good: tuple[Run, ...] = (Run(0, {"sql": 0, "p50": 2.0}),)) -> Comparison:
    runs: Any = {"bad": [Run(50, {"sql": 101, "p50": 3.0})], "good": list(good)}
    return Comparison([Result(CLAIM, runs, judge(CLAIM, runs))], environment(7, [RAISED]), 12.34)


def row(*, bad: Run = HALF_ARRIVED) -> TwoProcessResult:
    bounds = TwoProcessBounds(
        id="04",
        asks="chat",
        metric="messages that arrive",
        unit="%",
        finding="{bad} % & {one} %, {good} %.",
        others_at_least=100,
        bad_at_most=60,
        reason="for the test",
    )
    whole = Run(100.0)
    return TwoProcessResult(
        CLAIM, bounds, {("bad", 1): whole, ("bad", 2): bad, ("good", 1): whole, ("good", 2): whole}, 2
    )


def with_two_processes(*rows: TwoProcessResult) -> Comparison:
    return dataclasses.replace(comparison(), workers=2, before_any_cut=rows)


def as_data(compared: Comparison) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(as_json(compared))
    return document


def as_text(compared: Comparison) -> str:
    console = Console(width=120, file=io.StringIO())
    with console.capture() as captured:
        console.print(terminal.table(compared))
    return captured.get()


def test_the_json_has_the_documented_schema() -> None:
    document = as_data(comparison())
    assert (document["schema"], document["seconds"]) == (1, 12.34)
    assert {"python", "platform", "cpus", "versions", "seed", "raised_limits"} <= set(document["environment"])
    assert {"python-socketio", "python-engineio", "aiohttp"} <= set(document["environment"]["versions"])
    (claim,) = document["claims"]
    expected = {
        "id": "04",
        "slug": "fake",
        "better": "lower",
        "bad": 50,
        "good": 0,
        "bad_at_least": 45,
        "good_at_most": 0,
        "verdict": "shown",
        "reason": None,
        "runs": {"bad": [50], "good": [0]},
    }
    assert expected.items() <= claim.items()
    assert "bad_at_most" not in claim


def test_a_relative_metric_is_a_multiple_of_the_good_server() -> None:
    sql, p50 = as_data(comparison())["claims"][0]["also"]
    assert (sql["metric"], sql["bad"], sql["good"]) == ("statements", 101, 0)
    assert (p50["unit"], p50["bad"], p50["good"]) == ("×", 1.5, 1.0)


def test_a_missing_measurement_is_null_and_not_shown() -> None:
    compared = comparison(good=(Run(float("nan"), broken="[no client] came back"),))
    (claim,) = as_data(compared)["claims"]
    assert (claim["good"], claim["runs"]["good"], claim["verdict"]) == (None, [None], "not_shown")
    assert claim["also"][1] == {"key": "p50", "metric": "delivery", "unit": "×", "bad": None, "good": None}
    assert terminal.remarks(compared)[0] == "04 NOT SHOWN: good: [no client] came back"
    assert "NOT SHOWN" in as_text(compared)
    assert "[no client] came back" in as_html(compared)


def test_the_table_needs_no_colour() -> None:
    text = as_text(comparison())
    assert [cell.strip() for cell in text.splitlines()[3].split("│")[1:-1]] == [
        "04",
        "A <fake> claim",
        "ghost sends (sends)",
        "50",
        "0",
        "shown",
    ]


def test_late_clients_are_reported() -> None:
    compared = comparison(good=(Run(0, lateness_seconds=LATE_SECONDS * 2),))
    assert "the clients' own process was late (04 by 0.50 s)" in terminal.remarks(compared)[0]
    assert as_data(compared)["claims"][0]["clients_were_late"] is True
    assert as_data(comparison())["claims"][0]["clients_were_late"] is False


def test_the_page_is_one_file_without_other_resources() -> None:
    page = as_html(comparison())
    assert "A &lt;fake&gt; claim" in page
    assert "50 sent &amp; 0 sent." in page
    assert page.count("<svg") == 1
    assert "SERVER_SOCKETS_PER_ADDRESS=1000" in page
    assert not re.search(r"\bsrc=|@import|url\((?!#)|<link|<script", page)


def test_sides_in_a_figure_differ_by_label_and_hatch() -> None:
    (axes,) = side_by_side(CLAIM, comparison().results[0].runs).axes
    bars = [bar for bar in axes.patches if bar.get_label() != "_"]
    assert len({bar.get_hatch() for bar in bars}) == len(bars) == len(COLOURS)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["bad (n=1)", "good (n=1)"]
    assert axes.get_title(loc="left") == "50 sent & 0 sent."
    assert axes.get_xlabel() == "ghost sends (sends)"


BEGIN, END = "<!-- lab compare: begin (generated, do not edit) -->", "<!-- lab compare: end -->"


def test_rows_are_written_between_the_marks_of_the_readme(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"# before\n{BEGIN}\nold rows\n{END}\nafter\n")
    write_rows(readme, comparison())
    write_rows(readme, comparison())
    text = readme.read_text()
    assert text.startswith(f"# before\n{BEGIN}\n| | claim |")
    assert text.endswith(f"{END}\nafter\n")
    assert text.count("| 04 | A <fake> claim | ghost sends (sends) | 50 | 0 | shown |") == 1
    assert "old rows" not in text
    assert "seed 7" in text


def test_a_readme_without_the_marks_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "README.md").write_text("# no marks\n")
    monkeypatch.setattr("lab.report.readme_table.__file__", str(tmp_path / "a" / "b" / "c" / "readme_table.py"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ReadmeError, match=r"no README\.md with the marks"):
        find_readme()


def test_a_file_is_written_completely_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out.json"
    atomic_file.write(target, b"old")

    def fail(path: Path, to: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        atomic_file.write(target, b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("out.json", b"old")]


def test_writing_keeps_a_symlink_and_a_device(tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "real.json")
    atomic_file.write(link, b"content")
    assert link.is_symlink()
    assert (tmp_path / "real.json").read_bytes() == b"content"
    atomic_file.write(Path("/dev/null"), b"content")
    assert Path("/dev/null").is_char_device()


def test_the_json_of_one_process_has_no_extra_keys() -> None:
    assert not {"workers", "before_any_cut"} & set(as_data(comparison()))


def test_the_json_of_two_processes_has_results_before_any_cut() -> None:
    document = as_data(with_two_processes(row()))
    assert (document["schema"], document["workers"]) == (1, 2)
    assert document["before_any_cut"] == [
        {
            "id": "04",
            "slug": "fake",
            "metric": "messages that arrive",
            "unit": "%",
            "bad_at_most": 60,
            "others_at_least": 100,
            "bad": 50,
            "good": 100,
            "one_process": {"bad": 100, "good": 100},
            "fails_before_any_cut": True,
            "verdict": "shown",
            "reason": None,
        }
    ]


def test_a_miss_before_any_cut_makes_the_comparison_not_shown() -> None:
    compared = with_two_processes(row(bad=Run(100.0)), row(bad=Run(0.0, broken="no client could connect")))
    assert not compared.is_shown
    doubts = terminal.doubts(compared)
    assert doubts[0] == "04 before any cut NOT SHOWN: bad, processes 2: measured 100, wanted at most 60"
    assert doubts[1] == "04 before any cut NOT SHOWN: bad, processes 2: no client could connect"
    assert [one["fails_before_any_cut"] for one in as_data(compared)["before_any_cut"]] == [False, False]


def test_the_second_table_is_in_the_terminal_and_on_the_page() -> None:
    compared = with_two_processes(row())
    console = Console(width=120, file=io.StringIO())
    with console.capture() as captured:
        console.print(terminal.before_any_cut(compared))
    cells = [cell.strip() for cell in captured.get().splitlines()[-2].split("│")[1:-1]]
    assert cells == ["04", "fake", "messages that arrive (%)", "100", "50", "100", "100", "yes", "shown"]
    assert terminal.remarks(compared)[0] == "04 before any cut: 50 % & 100 %, 100 %."
    assert "50 % &amp; 100 %, 100 %." in as_html(compared)
    assert "before any cut" not in as_html(comparison()).lower()
