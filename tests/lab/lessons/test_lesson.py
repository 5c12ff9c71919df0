"""What lessons are made of: figures that can be read alone, tables, and measurements that count or say why not."""

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


def words(figure: Figure) -> str:
    figure.canvas.draw()
    return " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was put below the cell."""
    things: list[Any] = []
    monkeypatch.setattr(cell_output, "show_output", things.append)
    monkeypatch.setattr(lesson_module, "show_output", things.append)
    return things


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Runs that are made up: broken where no user takes part; the value is twice the users on the bad side."""
    asked: list[dict[str, Any]] = []

    async def run_once(claim: Claim, scenario: Any, side: str, **parameters: Any) -> Run:
        asked.append({"side": side, **parameters})
        users = parameters.get("users", 1)
        return Run(2.0 * users if side == "bad" else 0.0, broken=None if users else "nobody was there")

    monkeypatch.setattr(lesson_module, "run_once", run_once)
    monkeypatch.setattr(cell_output.ProgressLine, "tell", lambda line, text: None)
    return asked


def made_up() -> Lesson:
    return Lesson(CLAIM, SimpleNamespace(runs_alone=False))  # type: ignore[arg-type]


def test_side_by_side_draws_both_sides_their_bounds_the_guess_and_the_finding() -> None:
    told = words(bars.side_by_side(CLAIM, {"bad": [Run(2.0)], "good": [Run(100.0)]}, guess=60))
    for part in ("bad (n=1)", "good (n=1)", "at most 5", "at least 100", "your guess: 60", "After a reconnect 2 %"):
        assert part in told.replace("\n", " ")


def test_one_side_has_the_axis_of_both_and_says_what_it_is() -> None:
    both = bars.side_by_side(CLAIM, {"bad": [Run(2.0)], "good": [Run(100.0)]})
    alone = bars.side_by_side(CLAIM, {"bad": [Run(2.0)]})
    assert alone.axes[0].get_xlim() == both.axes[0].get_xlim()
    assert "The bad server: 2 %" in words(alone)
    assert "good" not in words(alone)


def test_growth_tells_the_slope_of_each_side_and_how_many_points_there_are() -> None:
    lines: list[charts.Growth] = [("bad", [1, 2, 4], [10, 20, 40]), ("good", [1, 2, 4], [0, 0, 0])]
    figure = charts.growth(lines, title="It grows", x_label="rounds", y_label="dead ids", each="ids for each round")
    told = words(figure)
    assert "bad (n=3): +10 ids for each round" in told
    assert "good (n=3): 0 ids for each round" in told
    assert all(part in told for part in ("It grows", "rounds", "dead ids"))


def test_a_timeline_has_a_sign_for_each_kind_and_a_row_for_each_name() -> None:
    rows = {"ana": {"connected": [0.0, 1.0], "cut": [0.5]}, "ben": {"received": [0.7]}}
    told = words(charts.timeline(rows, title="Back again"))
    assert all(part in told for part in ("ana", "ben", "connected", "cut", "received", "seconds since the start"))
    assert "sent" not in told


def test_a_fan_out_frames_whom_it_concerned() -> None:
    matrices = {"bad": [[3, 3], [3, 3]], "good": [[3, 0], [0, 3]]}
    figure = charts.fan_out(
        matrices,  # type: ignore[arg-type]
        [[3, 0], [0, 3]],
        rows=["a", "b"],
        columns=["a", "b"],
        title="Who got what",
        x_label="who got it",
        y_label="the driver's company",
    )
    assert "bad: 12 positions delivered" in words(figure)
    assert [len(axes.patches) for axes in figure.axes] == [2, 2]


def test_the_picture_of_all_claims_has_a_row_for_each() -> None:
    results = [
        Result(claim, {"bad": [Run(claim.worst)], "good": [Run(claim.best)]}, Verdict("shown"))
        for claim in load_claims()
    ]
    told = words(diagrams.scores(results, title="All shown"))
    assert all(claim.metric in told for claim in load_claims())


def test_a_picture_is_a_small_png_with_its_title_as_text(shown: list[Any]) -> None:
    cell_output.draw(bars.side_by_side(CLAIM, {"bad": [Run(2.0)], "good": [Run(100.0)]}))
    data, metadata = shown[0]._repr_mimebundle_()
    assert len(data["image/png"]) < 60_000
    assert data["text/plain"].startswith("After a reconnect 2 % of the messages arrived")
    assert metadata["image/png"]["alt"] == data["text/plain"]


def test_the_same_figure_is_the_same_file() -> None:
    runs = {"bad": [Run(2.0)], "good": [Run(100.0)]}
    one, other = (bars.as_png(bars.side_by_side(CLAIM, runs)) for _ in range(2))  # type: ignore[arg-type]
    assert one == other


def test_a_table_is_markdown_with_a_head(shown: list[Any]) -> None:
    cell_output.table(["tab", "id"], ["laptop", "x"])
    assert shown[0].markdown == "| tab | id |\n| --- | ---: |\n| laptop | x |"


async def test_a_sweep_measures_both_sides_at_every_value_and_keeps_the_order(measured: list[dict[str, Any]]) -> None:
    swept = await made_up().sweep("users", [1, 2, 4], rounds=3)
    assert swept.of("bad") == [2.0, 4.0, 8.0]
    assert swept.of("good") == [0.0, 0.0, 0.0]
    assert len(measured) == 6
    assert all(asked["rounds"] == 3 for asked in measured)


async def test_a_run_that_does_not_count_is_made_again_and_then_told_in_one_line(
    measured: list[dict[str, Any]],
) -> None:
    with pytest.raises(LessonError, match="the bad server's run does not count: nobody was there"):
        await made_up().measure("bad", users=0)
    assert [asked["seed"] for asked in measured] == [7, 8]


def test_the_verdict_is_read_from_the_claims(shown: list[Any]) -> None:
    made_up().verdict(Run(0.0), Run(100.0))
    assert shown[0].markdown.startswith("**Claim 03: shown.**")
    made_up().verdict(Run(90.0), Run(100.0))
    assert any(getattr(thing, "markdown", "").startswith("**Claim 03: NOT SHOWN.**") for thing in shown)


def test_a_claim_that_is_not_shown_fails_the_check(shown: list[Any]) -> None:
    with pytest.raises(AssertionError, match="bad measured 90"):
        made_up().check(Run(90.0), Run(100.0))
    made_up().check(Run(0.0), Run(100.0))
    assert "no server is left running" in shown[-1].markdown


def test_a_lesson_is_found_by_its_number_or_refused() -> None:
    assert repr(lesson(3)) == "lesson 03: Join rooms on every connect"
    with pytest.raises(LessonError, match="there is no lesson 11; there are 1 to 10"):
        lesson(11)


async def test_a_line_that_ticks_says_at_the_end_how_long_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(cell_output.ProgressLine, "tell", lambda line, text: told.append(text))
    async with cell_output.ProgressLine().ticking("the bad server"):
        await asyncio.sleep(0)
    assert told[0] == "the bad server: measuring, 0 s"
    assert told[-1] == "the bad server: measured in 0.0 s"
