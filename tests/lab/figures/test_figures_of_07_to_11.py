"""Test the figures of lessons 07 to 11."""

from typing import Any

import pytest
from lab.figures.bucket_level import bucket_level
from lab.figures.connected_spans import UserTabs, connected_spans, spans_of
from lab.figures.guard_path import GUARDS, Passage, guard_path
from lab.figures.report_waits import ReportRun, lanes_of, report_waits
from lab.figures.room_grid import Grid, room_grid
from lab.results.claims import Side
from matplotlib.axes import Axes
from matplotlib.figure import Figure

TAB = {"connects": [-0.2, 1.0], "disconnects": [0.4, 1.6], "sent": [0.0, 0.5, 1.5], "received": [0.01, 1.52]}


def points(axes: Axes, marker: str) -> list[tuple[float, float]]:
    """Return the points that are drawn with this marker."""
    lines = [line for line in axes.lines if line.get_marker() == marker]
    return [(float(x), float(y)) for line in lines for x, y in zip(*line.get_data(), strict=True)]  # type: ignore[arg-type]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def looks(figure: Figure) -> set[Any]:
    """Return the hatches and markers, which differ in a grey print too."""
    return {collection.get_hatch() for axes in figure.axes for collection in axes.collections}


def test_a_tab_is_connected_from_a_connect_to_its_disconnect() -> None:
    assert spans_of(TAB, seconds=2.0) == [(-0.2, 0.4), (1.0, 1.6)]
    assert spans_of(TAB, seconds=1.2) == [(-0.2, 0.4), (1.0, 1.2)]
    assert spans_of({**TAB, "disconnects": []}, seconds=2.0)[-1] == (1.0, 2.0)


def test_a_message_is_received_or_missed() -> None:
    figure = connected_spans([UserTabs("bad server", "bad", [TAB], 2.0)], title="Tabs")
    (axes,) = figure.axes
    assert points(axes, "o") == [(0.01, 0), (1.52, 0)]
    assert points(axes, "x") == [(0.5, 0)]
    assert figure.get_suptitle() == "Tabs"


def test_both_servers_spans_differ_without_colour() -> None:
    users = [UserTabs(side, side, [TAB], 2.0) for side in SIDES]
    assert len(looks(connected_spans(users, title="Tabs"))) == len(users)


SIDES: tuple[Side, ...] = ("bad", "good")
ASKED: dict[str, Any] = {
    "people": ["mallory", "ana"],
    "rooms": ["job:1"],
    "is_meant": [[False], [True]],
    "writers": [[False], [False]],
}


def test_a_grid_has_the_answers_and_the_messages_read() -> None:
    grids = [Grid("bad", [[True], [True]], [[5], [5]]), Grid("good", [[False], [True]], [[0], [5]])]
    figure = room_grid(grids, title="Asked", **ASKED)
    assert texts(figure) == ["join: ok\nread 5", "join: ok\nread 5", "join: no\nread 0", "join: ok\nread 5"]
    bad, good = figure.axes
    # what a stranger read has hatches; a frame marks those who belong to the conversation
    assert [patch.get_hatch() is not None for patch in bad.patches] == [True, False, False]
    assert [patch.get_fill() for patch in good.patches] == [True, False]


def reports(*ends: float) -> list[dict[str, float]]:
    return [{"cpu": 0.15, "ready": end} for end in ends]


def test_reports_that_overlap_are_in_different_lanes() -> None:
    assert len(lanes_of(reports(0.15, 0.3, 0.45))) == 1
    assert [len(lane) for lane in lanes_of(reports(0.15, 0.16, 0.31, 0.33))] == [2, 2]
    assert lanes_of([]) == []


def test_waits_are_drawn_in_milliseconds_below_the_reports() -> None:
    answers = [{"due": 0.0, "took": 0.3}, {"due": 0.1, "took": 0.2}]
    runs = [ReportRun(side, reports(0.15, 0.3), answers) for side in SIDES]
    figure = report_waits(runs, title="Waits")
    assert points(figure.axes[1], "s") == [(0.0, 300.0), (0.1, 200.0)]
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["bad server", "", "good server", ""]
    assert len(figure.axes[0].collections[0].get_paths()) == 2


def test_a_request_without_a_token_is_a_cross() -> None:
    taken = {"points": [{"at": 0.0, "level": 1.0, "taken": True}, {"at": 0.1, "level": 0.5, "taken": False}]}
    figure = bucket_level({"burst": taken, "flood": taken}, {"burst": "page", "flood": "abuser"}, title="Tokens")
    for axes in figure.axes:
        assert points(axes, "o") == [(0.0, 1.0)]
        assert points(axes, "x") == [(0.1, 0.5)]
    assert len({axes.lines[0].get_linestyle() for axes in figure.axes}) == 2


def test_a_row_ends_at_the_guard_that_refused() -> None:
    passages = [Passage("fine", (), None), Passage("late", ("token", "payload"), "token_expired")]
    (axes,) = guard_path(passages, title="Guards").axes
    assert points(axes, "*") == [(len(GUARDS), 0)]
    assert points(axes, "X") == [(list(GUARDS).index("token"), 1)]
    assert points(axes, "D") == [(list(GUARDS).index("payload"), 1)]
    assert [text.get_text() for text in axes.texts] == ["ok", "token_expired"]


def test_a_code_of_no_guard_is_an_error() -> None:
    with pytest.raises(KeyError, match="internal"):
        guard_path([Passage("broken", (), "internal")], title="Guards")
