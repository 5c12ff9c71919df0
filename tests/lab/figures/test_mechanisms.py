"""Tests the figures that show the mechanisms of lessons 00 to 06.

What they draw comes from their data, and without colour both servers can still be told apart.
"""

from typing import Any

import pytest
from lab.figures.bars import as_png
from lab.figures.deliveries_per_head import deliveries_per_head
from lab.figures.held_ids import held_ids
from lab.figures.members_and_sockets import members_and_sockets
from lab.figures.messages_and_rooms import messages_and_rooms
from lab.figures.presence_strips import presence_strips
from lab.figures.report_timeline import report_timeline
from lab.figures.room_over_a_cut import room_over_a_cut
from lab.figures.shown_messages import shown_messages
from lab.figures.square_and_line import growth_per_doubling, square_and_line
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

TITLE = "What was found in this run"


def text_in(figure: Figure) -> str:
    figure.canvas.draw()
    return " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def line(axes: Axes, label: str) -> Line2D:
    return next(line for line in axes.get_lines() if line.get_label() == label)


def xs_and_ys(axes: Axes, label: str) -> tuple[list[float], list[float]]:
    found = line(axes, label)
    return [float(x) for x in found.get_xdata()], [float(y) for y in found.get_ydata()]  # type: ignore[union-attr]


HELD = {
    "samples": [
        {"seconds": 1.0, "connections": 4, "ids_held": 4},
        {"seconds": 1.5, "connections": 6},
        {"seconds": 3.0, "connections": 4, "ids_held": 8},
    ],
    "lost_at": [1.0],
    "unanswered_pings": [1.25],
}


def test_ids_and_connections_are_drawn_as_sampled() -> None:
    (axes,) = held_ids({"bad": HELD}, title=TITLE).axes
    assert xs_and_ys(axes, "connections open") == ([0, 0.5, 2], [4, 6, 4])
    assert xs_and_ys(axes, "ids held (bad server)") == ([0, 2], [4, 8])
    assert xs_and_ys(axes, "heartbeat unanswered")[0] == [0.25]
    assert {"8 ids held", "4 connections"} <= {text.get_text() for text in axes.texts}


REPORTS = {
    "cut": 0.3,
    "timeline": [
        {"user": "ana", "asked": 0.0, "back": 0.4, "emitted_to_nobody": [1.5], "emitted": [], "received": None},
        {"user": "ben", "asked": 0.1, "back": 0.5, "emitted_to_nobody": [], "emitted": [1.6], "received": 1.7},
    ],
}


def test_a_report_is_drawn_from_the_request_to_the_emit() -> None:
    (axes,) = report_timeline({"bad": REPORTS}, title=TITLE).axes
    assert xs_and_ys(axes, "asked") == ([0, 0.1], [0, 1])
    assert xs_and_ys(axes, "connection cut")[0] == [0.3, 0.3]
    assert xs_and_ys(axes, "emitted to a dead id") == ([1.5], [0])
    assert xs_and_ys(axes, "received")[0] == [1.7]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ana", "ben"]


def test_the_marks_of_a_timeline_differ_in_form() -> None:
    (axes,) = report_timeline({"bad": REPORTS}, title=TITLE).axes
    markers = [line.get_marker() for line in axes.get_lines() if line.get_marker() not in ("", "None")]
    assert len(set(markers)) == len(markers) == 6


MESSAGES = {
    "cut": 0.5,
    "samples": [{"seconds": 0.0, "connections": 2, "rooms": 2}, {"seconds": 1.0, "connections": 2, "rooms": 0}],
    "timeline": [{"user": "ana", "back": 0.7, "sent": [0.2, 0.9], "received": [0.21]}],
}


def test_messages_and_rooms_are_drawn_as_recorded() -> None:
    above, below = messages_and_rooms({"bad": MESSAGES}, title=TITLE).axes
    assert xs_and_ys(above, "sent by the server")[0] == [0.2, 0.9]
    assert xs_and_ys(above, "received")[0] == [0.21]
    assert xs_and_ys(above, "connection cut")[0] == [0.5]
    assert xs_and_ys(below, "connections open")[1] == [2, 2]
    assert xs_and_ys(below, "user rooms with a socket (bad)")[1] == [2, 0]


MEMBERS = {
    "steps": {"one of two tabs closed": 1.2, "opened again": 1.4, "killed": 2.0, "started again": 3.0},
    "samples": [
        {"seconds": 1.0, "rows": 9, "in_room": 0, "connected": 9},
        {"seconds": 1.3, "rows": 1, "in_room": 0, "connected": 9},
        {"seconds": 3.1, "rows": 9, "in_room": 0, "connected": 5},
    ],
}


def test_members_are_drawn_as_counted_with_a_gap_over_the_kill() -> None:
    (axes,) = members_and_sockets({"bad": MEMBERS}, title=TITLE).axes
    assert xs_and_ys(axes, "members with a socket")[1] == [9, 9]
    assert xs_and_ys(axes, "members in the table (bad)")[1] == [9, 1]
    texts = {text.get_text() for text in axes.texts}
    assert {"9 known", "5 with a socket", "killed"} <= texts
    assert "server is down" in [patch.get_label() for patch in axes.patches]


STRIPS = [
    {
        "user": "ana",
        "tabs": [0.5, 1.5],
        "messages": [
            {"at": 0.1, "is_emitted": True, "received": 2},
            {"at": 0.8, "is_emitted": False, "received": 0},
            {"at": 1.8, "is_emitted": True, "received": 0},
        ],
    }
]


def test_a_strip_has_a_bar_per_tab_and_a_mark_per_message() -> None:
    (axes,) = presence_strips({"bad": STRIPS}, title=TITLE).axes
    assert sorted(bar.get_x() + bar.get_width() for bar in axes.patches) == pytest.approx([0.5, 1.5])  # type: ignore[attr-defined]
    assert xs_and_ys(axes, "message arrived")[0] == [0.1]
    assert xs_and_ys(axes, "not sent: taken for offline")[0] == [0.8]
    assert xs_and_ys(axes, "sent to a room without a tab")[0] == [1.8]


HEADS = {
    "companies": ["company-0", "company-1"],
    "groups": ["company-0", "company-1", "admin"],
    "received": [[1.0, 0.25, 1.0], [0.0, 1.0, 1.0]],
    "concerned": [[True, False, True], [False, True, True]],
}


def test_the_shade_of_a_cell_is_the_share_per_head() -> None:
    axes = deliveries_per_head({"bad": HEADS}, title=TITLE).axes[0]
    (image,) = axes.get_images()
    assert image.get_array().tolist() == [[100, 25, 100], [0, 100, 100]]  # type: ignore[union-attr]
    # two frames, one dark and one white, around each cell that the positions concern
    assert len(axes.patches) == 2 * 4


def test_the_shades_of_both_servers_darken_without_colour() -> None:
    figure = deliveries_per_head({"bad": HEADS, "good": HEADS}, title=TITLE)
    for axes in figure.axes[:2]:
        shades = axes.get_images()[0].get_cmap()
        brightness = [0.299 * red + 0.587 * green + 0.114 * blue for red, green, blue, _ in shades([0.0, 0.5, 1.0])]
        assert brightness == sorted(brightness, reverse=True)
        assert brightness[0] - brightness[-1] > 0.6


def test_twice_the_size_is_four_for_a_square_and_two_for_a_line() -> None:
    assert growth_per_doubling([10, 20, 80], [100, 400, 6400]) == pytest.approx(4)
    assert growth_per_doubling([10, 20, 80], [7, 14, 56]) == pytest.approx(2)


def test_a_square_and_a_line_are_drawn_as_measured() -> None:
    figure = square_and_line([10, 20], {"bad": [100, 400], "good": [7, 14]}, title=TITLE)
    text = text_in(figure)
    assert "bad: 400 deliveries\n× 4 for twice the clients" in text
    assert "good: 14 deliveries\n× 2 for twice the clients" in text
    assert "bad server" not in text
    assert [list(line.get_ydata()) for line in figure.axes[0].get_lines()] == [[100, 400], [7, 14]]  # type: ignore[arg-type]


def test_a_room_shows_its_sockets_before_and_after_and_who_left() -> None:
    ids = {"laptop": ["laptop-first"], "phone": ["phone-first", "phone-second"]}
    after = ["laptop-first", "phone-second"]
    text = text_in(room_over_a_cut("user:ana", ["laptop-first", "phone-first"], after, ids, title=TITLE))
    assert (text.count("laptop-f…"), text.count("phone-fi…"), text.count("phone-se…")) == (2, 2, 1)
    assert "phone-fi… (an earlier id of the phone) is no longer in it" in text


def test_a_socket_that_stays_in_the_room_is_drawn_in_it() -> None:
    ids = {"phone": ["phone-first", "phone-second"]}
    both = ["phone-first", "phone-second"]
    assert "no longer" not in text_in(room_over_a_cut("user:ana", both, both, ids, title=TITLE))


FIGURES: list[tuple[Any, Any]] = [
    (held_ids, HELD),
    (report_timeline, REPORTS),
    (messages_and_rooms, MESSAGES),
    (members_and_sockets, MEMBERS),
    (presence_strips, STRIPS),
    (deliveries_per_head, HEADS),
]
EACH = pytest.mark.parametrize(("draw", "data"), FIGURES, ids=[draw.__name__ for draw, _ in FIGURES])


@EACH
def test_a_figure_names_both_servers_and_has_its_title(draw: Any, data: Any) -> None:
    figure = draw({"bad": data, "good": data}, title=TITLE)
    text = text_in(figure)
    assert all(part in text for part in ("bad server", "good server", TITLE))
    assert len(as_png(figure)) < 90_000


@EACH
def test_no_text_of_a_figure_is_cut_off(draw: Any, data: Any) -> None:
    figure = draw({"bad": data, "good": data}, title="A long title that has to be wrapped into lines, " * 3)
    figure.canvas.draw()
    right = figure.bbox.width
    legend = figure.legends[0].get_texts() if figure.legends else []
    texts = [*figure.texts, *legend, *(text for axes in figure.axes for text in (*axes.texts, axes.xaxis.label))]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    assert [text for text, box in boxes if box.x1 > right + 1 or box.x0 < -1] == []


def test_each_message_of_a_conversation_has_one_mark() -> None:
    shown = {"at most once": [1, 0, 0, 1], "at least once": [1, 2, 1, 3]}
    (axes,) = shown_messages(shown, [2, 4], title=TITLE).axes
    assert xs_and_ys(axes, "lost") == ([2, 3], [0, 0])
    assert xs_and_ys(axes, "shown once") == ([1, 4, 1, 3], [0, 0, 1, 1])
    assert xs_and_ys(axes, "shown again") == ([2, 4], [1, 1])
    cuts = [line.get_xdata()[0] for line in axes.get_lines() if line.get_linestyle() == "--"]  # type: ignore[index]
    assert cuts == [1.5, 3.5]
