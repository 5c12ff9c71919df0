"""Draws each user's open tabs, and which messages arrived."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.figures.bars import INK
from lab.figures.panels import add_legend, name_rows, new_panels, set_heading
from lab.results.claims import SIDES, Side

# label, marker, colour, and whether the mark is filled; the marks differ in form
OUTCOMES: dict[str, tuple[str, str, str, bool]] = {
    "arrived": ("message arrived", "o", "#009E73", True),
    "offline": ("not sent: taken for offline", "x", "#D55E00", True),
    "empty": ("sent to a room without a tab", "o", "#333333", False),
}
TAB_HEIGHT = 0.36


def presence_strips(strips: Mapping[Side, Sequence[Mapping[str, Any]]], *, title: str) -> Figure:
    """Draw one strip per user, in one panel per server.

    A strip is a row that shows a user's open tabs and messages over time. `strips` maps a server (`bad` or `good`) to
    the `details["strips"]` that an experiment, scenario 05, recorded on this server. In scenario 05 users close their
    tabs. Run it with `is_traced=True`: otherwise it does not record the strips.
    """
    sides = [side for side in SIDES if side in strips]
    figure, panels = new_panels(sides, height=0.45 + 0.36 * max(map(len, strips.values())))
    for side, axes in zip(sides, panels, strict=True):
        _panel(axes, strips[side])
    panels[-1].set_xlabel("seconds since the first message", color=INK, fontsize=9)
    add_legend(figure, panels, columns=2)
    set_heading(figure, title)
    return figure


def outcome(message: Mapping[str, Any]) -> str:
    """Return the outcome of a message, as a key of `OUTCOMES`.

    The outcome is `arrived`, `empty` (emitted to a room without a tab) or `offline` (not emitted, because the server
    took the user for offline).
    """
    if message["received"]:
        return "arrived"
    return "empty" if message["is_emitted"] else "offline"


def _panel(axes: Axes, users: Sequence[Mapping[str, Any]]) -> None:
    name_rows(axes, [user["user"] for user in users])
    for row, user in enumerate(users):
        for number, closed_at in enumerate(sorted(user["tabs"])):
            # the first tab that closes lies above the row's line, the other one below
            y = row + (TAB_HEIGHT / 2 if number else -TAB_HEIGHT / 2)
            label = "tab open (a bar for each)" if (row, number) == (0, 0) else None
            axes.barh(
                y, closed_at + 0.05, left=-0.05, height=TAB_HEIGHT, color="#DDDDDD", edgecolor="white", label=label
            )
    for kind, (label, marker, colour, is_filled) in OUTCOMES.items():
        points = [
            (message["at"], row)
            for row, user in enumerate(users)
            for message in user["messages"]
            if outcome(message) == kind
        ]
        if points:
            xs, ys = zip(*points, strict=True)
            look: Any = {"markersize": 6, "markeredgewidth": 1.6, "linestyle": "", "label": label}
            axes.plot(xs, ys, marker, color=colour, fillstyle="full" if is_filled else "none", **look)
