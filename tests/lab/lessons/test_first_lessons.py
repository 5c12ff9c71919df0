"""Tests what the notebooks 00 to 06 state: times, beliefs and facts."""

import ast
import inspect
import re
from collections.abc import Iterator
from typing import Any

import jupytext
import nbformat
import pytest
from engineio import AsyncServer
from lab.lessons.build_notebooks import find_notebooks
from lab.lessons.heartbeats import heartbeats
from lab.scenarios import s06_broadcast_to_everyone as scenario_06
from lab.servers.process import LAB_SETTINGS

NOTEBOOKS = {notebook.name[:2]: notebook for notebook in find_notebooks() if notebook.name[:2] <= "06"}
EACH = pytest.mark.parametrize("number", sorted(NOTEBOOKS))
EACH_LESSON = pytest.mark.parametrize("number", [number for number in sorted(NOTEBOOKS) if number != "00"])


def cells(number: str, kind: str) -> list[str]:
    notebook = jupytext.read(NOTEBOOKS[number].source, fmt="py:percent")
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def prose(number: str) -> str:
    return " ".join(" ".join(cells(number, "markdown")).split())


def stored_text(number: str) -> str:
    notebook = nbformat.read(NOTEBOOKS[number].path, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(str(output.get("text", output.get("data", {}).get("text/markdown", ""))) for output in outputs)


@EACH_LESSON
def test_a_lesson_states_the_time_with_its_exercise(number: str) -> None:
    title = " ".join(cells(number, "markdown")[0].split())
    assert "About 25 minutes: 13 to read, ten for the exercise." in title


@EACH
def test_no_notebook_promises_ten_minutes_for_a_lesson(number: str) -> None:
    if number != "00":
        assert "Ten minutes" not in prose(number)


def test_the_scoreboard_is_last_and_after_the_guesses() -> None:
    code = cells("00", "code")
    place = {
        text: [index for index, cell in enumerate(code) if text in cell]
        for text in ("guesses = {", "measure_all", "lab.scoreboard(")
    }
    (guesses,), (measured,), (shown,) = place.values()
    assert guesses < measured < shown
    assert not any("lab." in cell for cell in code[shown + 1 :])
    assert "**stop here**" in prose("00")


def tables_of_beliefs(number: str) -> Iterator[ast.Call]:
    """Yield the calls of `lab.table` that show a server's beliefs."""
    for source in cells(number, "code"):
        if "lab.table" not in source:
            continue
        for node in ast.walk(compile(source, number, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "lab.table" and is_about_beliefs(node):
                yield node


def is_about_beliefs(call: ast.Call) -> bool:
    return any(word in ast.unparse(call.args[0]) for word in ("believed", "measured on"))


@pytest.mark.parametrize("number", ["01", "02", "03", "04", "05"])
def test_no_cell_of_a_table_of_beliefs_is_typed_by_hand(number: str) -> None:
    tables = list(tables_of_beliefs(number))
    assert tables
    for row in (row for table in tables for row in table.args[1:]):
        assert isinstance(row, ast.List)
        # the first cell names the row
        assert [ast.unparse(cell) for cell in row.elts[1:] if isinstance(cell, ast.Constant)] == []


@EACH_LESSON
def test_a_lesson_draws_its_mechanism_from_runs_of_its_scenario(number: str) -> None:
    code = "\n".join(cells(number, "code"))
    drawn = re.findall(r"(?:lab\.draw\(|figure = )(\w+)\(", code)
    assert len(drawn) >= 2
    assert "bars" not in drawn
    if number != "06":
        assert code.count("is_traced=True") == 2


def test_lesson_06_measures_what_lab_compare_measures() -> None:
    defaults = inspect.signature(scenario_06.run).parameters
    expected = f"clients, positions = {defaults['clients'].default}, {defaults['positions'].default}\n"
    assert any(expected in cell for cell in cells("06", "code"))


def test_lesson_06_and_the_readme_state_one_share() -> None:
    readme = (NOTEBOOKS["06"].source.parents[2] / "README.md").read_text("utf-8")
    (row,) = re.findall(r"^\| 06 \|.*\| ([\d.]+) \| [\d.]+ \| \w+ \|$", readme, re.MULTILINE)
    assert re.search(rf"\*\*wasted deliveries\*\* \| {re.escape(row)} \|", stored_text("06"))


@pytest.mark.parametrize("number", ["01", "04", "05"])
def test_a_lesson_about_silent_connections_names_its_heartbeats(number: str) -> None:
    assert heartbeats() in stored_text(number)


def test_the_heartbeats_are_those_of_the_lab_and_of_the_library() -> None:
    here = sum(int(LAB_SETTINGS[f"SERVER_PING_{name}_SECONDS"]) for name in ("INTERVAL", "TIMEOUT"))
    usual = AsyncServer()
    assert f"within {here} s here" in heartbeats()
    assert f"within {usual.ping_interval + usual.ping_timeout} s by default" in heartbeats()


async def test_the_scoreboard_measures_primary_metrics_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from lab.lessons import scoreboard

    class Stop(Exception):
        """Ends the measurement before it starts."""

    async def compare(claims: Any, *, scenarios: Any, **_: Any) -> None:
        assert {claim.id for claim in claims} == set(scenarios)
        raise Stop(scenarios["01"].run.keywords)

    monkeypatch.setattr(scoreboard, "compare", compare)
    with pytest.raises(Stop) as stopped:
        await scoreboard.measure_all()
    assert stopped.value.args == ({"is_heap_weighed": False},)


# statements that were false, with what is true instead
CORRECTED: list[tuple[str, str, str]] = [
    ("01", "restarted", "The work grows with the number of reconnects"),
    ("01", "contains only its open sockets", "stays in it until its heartbeat fails"),
    ("04", "exactly its open connections", "A room is not exactly the people who listen."),
    ("04", "still sends to every member who did not come back", "It hurts nobody"),
    ("05", "cannot differ from the connections", "late, until the heartbeat fails"),
    ("05", "the room knows only *this* process", "asks every process that shares an adapter"),
    ("06", "every cell is dark", "each member of the group received"),
    ("06", "In Python an empty `to` means", "`io.to([]).emit(…)` and `to=[]`"),
    ("06", "even then the good server names its rooms, one for each role: an emit without", "In Node it does not"),
]


@pytest.mark.parametrize(("number", "false", "true"), CORRECTED)
def test_a_false_statement_is_gone_and_the_true_one_is_there(number: str, false: str, true: str) -> None:
    text = prose(number) + " ".join(cells(number, "code"))
    assert false.lower() not in text.lower()
    assert true in text


def test_guesses_are_shown_beside_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    from lab.compare.comparison import Comparison, Result
    from lab.lessons import scoreboard
    from lab.results.claims import load_claims
    from lab.results.run import Run
    from lab.results.verdict import Verdict

    tables: list[Any] = []
    monkeypatch.setattr(scoreboard, "table", lambda *rows: tables.append(rows))
    monkeypatch.setattr(scoreboard, "draw", lambda figure: None)
    monkeypatch.setattr(scoreboard, "show_output", lambda output: None)
    results = [Result(claim, {"bad": [Run(1)], "good": [Run(0)]}, Verdict("shown")) for claim in load_claims()]
    comparison = Comparison(results=results, environment={}, seconds=1.0)  # type: ignore[arg-type]
    scoreboard.scoreboard(comparison, {3: 60.0, 4: None})
    scoreboard.scoreboard(comparison, {3: None})
    assert tables[0][0] == ["lesson", "your guess", "bad", "good", "unit", "claim"]
    assert [row[1] for row in tables[0][1:]][2:4] == ["60", "–"]
    assert tables[1][0] == ["lesson", "bad", "good", "unit", "claim"]
