"""Draws when reports were requested, sent and received.

A report is the result of heavy work that a user requests.
"""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.figures.bars import INK
from lab.figures.panels import add_legend, name_rows, new_panels, set_heading
from lab.results.claims import SIDES, Side

SHOWN_USERS = 5
# label, marker, colour, size, and how far above (negative) or below its row; the marks differ in form
MARKS: dict[str, tuple[str, str, str, float, float]] = {
    "asked": ("asked", ">", "#0072B2", 7, 0),
    "cut": ("connection cut", "x", "#D55E00", 8, 0),
    "back": ("back, with a new id", "|", "#333333", 14, 0),
    "emitted_to_nobody": ("emitted to a dead id", "s", "#D55E00", 8, 0),
    "emitted": ("emitted to the user's room", "d", "#333333", 8, -0.19),
    "received": ("received", "o", "#009E73", 7, 0.19),
}


def report_timeline(runs: Mapping[Side, Mapping[str, Any]], *, title: str) -> Figure:
    """Draw a few users' requests and reports, one panel per server.

    A report is the result of heavy work that a user requests. `runs` maps a server (`bad` or `good`) to the `details`
    that an experiment, scenario 02, recorded on this server. In scenario 02 users lose their connections before their
    reports are ready. Run it with `is_traced=True`: otherwise it does not record when the server emits.
    """
    sides = [side for side in SIDES if side in runs]
    figure, panels = new_panels(sides, height=0.5 + 0.3 * SHOWN_USERS)
    for side, axes in zip(sides, panels, strict=True):
        _panel(axes, runs[side])
    panels[-1].set_xlabel("seconds since the first request", color=INK, fontsize=9)
    add_legend(figure, panels, columns=3)
    set_heading(figure, title)
    return figure


def _panel(axes: Axes, run: Mapping[str, Any]) -> None:
    users = run["timeline"][:SHOWN_USERS]
    name_rows(axes, [user["user"] for user in users])
    for kind, (label, marker, colour, size, offset) in MARKS.items():
        points = [(at, row + offset) for row, user in enumerate(users) for at in _times(run, user, kind)]
        if points:
            look: Any = {"markersize": size, "markeredgewidth": 1.8, "linestyle": "", "label": label}
            fill = "none" if kind.startswith("emitted") else "full"
            axes.plot(*zip(*points, strict=True), marker=marker, color=colour, fillstyle=fill, **look)
    axes.set_xlim(left=-0.06)


def _times(run: Mapping[str, Any], user: Mapping[str, Any], kind: str) -> list[float]:
    if kind == "cut":
        return [run["cut"]]
    found = user[kind]
    return found if isinstance(found, list) else [found] if found is not None else []
