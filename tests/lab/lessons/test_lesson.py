"""Tests the methods of a lesson: figures, tables and measurements."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from lab.compare.comparison import Result
from lab.figures import bars, charts, diagrams
from lab.lessons import cell_output
from lab.lessons import lesson as lesson_module
from lab.lessons.lesson import Lesson, LessonError, lesson
from lab.results.claims import Claim, load_claims
from lab.results.run import Run
from lab.results.verdict import Verdict
from matplotlib.figure import Figure

CLAIM = next(claim for claim in load_claims() if claim.id == "03")


def text_in(figure: Figure) -> str:
    figure.canvas.draw()
    return " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collect what a lesson shows below the cell; return the list."""
    outputs: list[Any] = []
    monkeypatch.setattr(cell_output, "show_output", outputs.append)
    monkeypatch.setattr(lesson_module, "show_output", outputs.append)
    return outputs


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Replace `run_once` by a fake; return the list of its arguments.

    A fake run without users is broken. On the bad server, the value of a fake run is twice the number of users.
    """
    calls: list[dict[str, Any]] = []

    async def run_once(claim: Claim, scenario: Any, side: str, **parameters: Any) -> Run:
        calls.append({"side": side, **parameters})
        users = parameters.get("users", 1)
        return Run(2.0 * users if side == "bad" else 0.0, broken=None if users else "no user connected")

    monkeypatch.setattr(lesson_module, "run_once", run_once)
    monkeypatch.setattr(cell_output.ProgressLine, "update", lambda line, text: None)
    return calls


def lesson_without_scenario() -> Lesson:
    return Lesson(CLAIM, SimpleNamespace(runs_alone=False))  # type: ignore[arg-type]


def test_side_by_side_draws_sides_bounds_and_finding() -> None:
    text = text_in(bars.side_by_side(CLAIM, {"bad": [Run(2.0)], "good": [Run(100.0)]}))
    for part in ("bad (n=1)", "good (n=1)", "at most 5", "at least 100", "After a reconnect 2 %"):
        assert part in text.replace("\n", " ")


def test_growth_shows_each_sides_slope_and_number_of_points() -> None:
    lines: list[charts.Growth] = [("bad", [1, 2, 4], [10, 20, 40]), ("good", [1, 2, 4], [0, 0, 0])]
    figure = charts.growth(lines, title="It grows", x_label="rounds", y_label="dead ids", each="ids for each round")
    text = text_in(figure)
    assert "bad (n=3): +10 ids for each round" in text
    assert "good (n=3): no change" in text
    assert all(part in text for part in ("It grows", "rounds", "dead ids"))


def test_a_rise_that_is_only_noise_is_shown_as_no_change() -> None:
    lines: list[charts.Growth] = [("bad", [2, 5, 8], [2.0, 5.1, 8.4]), ("good", [2, 5, 8], [0.03, 0.031, 0.025])]
    text = text_in(charts.growth(lines, title="It grows", x_label="reports", y_label="waits", each="for each report"))
    assert "good (n=3): no change" in text
    assert charts.rises(lines)["bad"] > 1


def test_a_rise_of_one_has_a_unit_in_the_singular() -> None:
    lines: list[charts.Growth] = [("bad", [1, 2, 4], [1, 2, 4]), ("good", [1, 2, 4], [0, 0, 0])]
    figure = charts.growth(lines, title="It grows", x_label="users", y_label="errors", each="errors for each user")
    assert "bad (n=3): +1 error for each user" in text_in(figure)


def test_a_timeline_has_a_marker_per_kind_and_a_row_per_name() -> None:
    rows = {"ana": {"connected": [0.0, 1.0], "cut": [0.5]}, "ben": {"received": [0.7]}}
    text = text_in(charts.timeline(rows, title="Reconnects"))
    assert all(part in text for part in ("ana", "ben", "connected", "cut", "received", "seconds since the start"))
    assert "sent" not in text


def test_the_figure_of_all_claims_has_a_row_for_each() -> None:
    results = [
        Result(claim, {"bad": [Run(claim.worst)], "good": [Run(claim.best)]}, Verdict("shown"))
        for claim in load_claims()
    ]
    text = text_in(diagrams.scores(results, title="All shown"))
    assert all(claim.metric in text for claim in load_claims())


def test_a_figure_is_a_small_png_with_its_title_as_text(shown: list[Any]) -> None:
    cell_output.draw(bars.side_by_side(CLAIM, {"bad": [Run(2.0)], "good": [Run(100.0)]}))
    data, metadata = shown[0]._repr_mimebundle_()
    assert len(data["image/png"]) < 60_000
    assert data["text/plain"].startswith("After a reconnect 2 % of the messages arrived")
    assert metadata["image/png"]["alt"] == data["text/plain"]


def test_the_same_figure_gives_the_same_file() -> None:
    runs = {"bad": [Run(2.0)], "good": [Run(100.0)]}
    one, other = (bars.as_png(bars.side_by_side(CLAIM, runs)) for _ in range(2))  # type: ignore[arg-type]
    assert one == other


def test_a_table_is_markdown_with_a_heading(shown: list[Any]) -> None:
    cell_output.table(
        ["tab", "messages", "share", "id"], ["laptop", "1,200", "**50 %**", "x"], ["phone", "–", "3", "7"]
    )
    lines = shown[0].markdown.splitlines()
    assert lines[0] == "| tab | messages | share | id |"
    assert lines[2:] == ["| laptop | 1,200 | **50 %** | x |", "| phone | – | 3 | 7 |"]
    # numbers are aligned right, text left
    assert lines[1] == "| :--- | ---: | ---: | :--- |"


async def test_a_sweep_measures_both_sides_at_every_value_in_order(measured: list[dict[str, Any]]) -> None:
    swept = await lesson_without_scenario().sweep("users", [1, 2, 4], rounds=3)
    assert swept.of("bad") == [2.0, 4.0, 8.0]
    assert swept.of("good") == [0.0, 0.0, 0.0]
    assert len(measured) == 6
    assert all(call["rounds"] == 3 for call in measured)


async def test_a_broken_run_is_repeated_and_then_reported_in_one_line(
    measured: list[dict[str, Any]],
) -> None:
    with pytest.raises(LessonError, match="the bad server's run does not count: no user connected"):
        await lesson_without_scenario().measure("bad", users=0)
    assert [call["seed"] for call in measured] == [7, 8]


def side_by_side(shown: list[Any], guess: float | None) -> tuple[str, str]:
    """Return the text in the figure, and its alternative text."""
    figure = charts.levels({"bad": ([1, 2], [3, 4])}, title="What was found", x_label="x", y_label="y")
    lesson_without_scenario().side_by_side(figure, guess=guess, bad=Run(2.0), good=Run(100.0))
    return text_in(shown[-1].figure), shown[-1].alt


def test_a_guess_is_drawn_into_the_figure(shown: list[Any]) -> None:
    text, alt = side_by_side(shown, 40)
    line = "Your guess: 40 %; measured: bad 2 %, good 100 % (messages received after a reconnect)"
    assert line in " ".join(text.split())
    assert alt == f"What was found. {line}"


def test_without_a_guess_the_figure_stays_as_it_is(shown: list[Any]) -> None:
    text, alt = side_by_side(shown, None)
    assert "guess" not in text
    assert alt == "What was found"


@pytest.mark.parametrize("guess", [0, 0.0])
def test_a_guess_of_zero_is_a_guess(shown: list[Any], guess: float) -> None:
    assert "Your guess: 0 %" in side_by_side(shown, guess)[0]


def test_the_verdict_is_read_from_the_claims(shown: list[Any]) -> None:
    lesson_without_scenario().verdict(Run(0.0), Run(100.0))
    assert shown[0].markdown.startswith("**Claim 03: shown.**")
    lesson_without_scenario().verdict(Run(90.0), Run(100.0))
    assert any(getattr(output, "markdown", "").startswith("**Claim 03: NOT SHOWN.**") for output in shown)


def test_a_claim_that_is_not_shown_fails_the_check(shown: list[Any]) -> None:
    with pytest.raises(AssertionError, match="bad measured 90"):
        lesson_without_scenario().check(Run(90.0), Run(100.0))
    lesson_without_scenario().check(Run(0.0), Run(100.0))
    assert "no server is left running" in shown[-1].markdown


def test_an_unknown_lesson_number_is_refused() -> None:
    assert repr(lesson(3)) == "lesson 03: Join rooms on every connect"
    with pytest.raises(LessonError, match="there is no lesson 11; there are 1 to 10"):
        lesson(11)


async def test_the_elapsed_time_is_shown_during_and_after_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    shown_texts: list[str] = []
    monkeypatch.setattr(cell_output.ProgressLine, "update", lambda line, text: shown_texts.append(text))
    async with cell_output.ProgressLine().show_elapsed("the bad server"):
        await asyncio.sleep(0)
    assert shown_texts[0] == "the bad server: measuring, 0 s"
    assert shown_texts[-1] == "the bad server: measured in 0.0 s"
