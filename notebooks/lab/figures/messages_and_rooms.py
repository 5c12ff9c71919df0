"""Draws messages, connections and rooms before and after a connection cut."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lab.figures.bars import COLOURS, INK
from lab.figures.panels import add_legend, name_rows, plain, set_heading
from lab.results.claims import SIDES, Side

SHOWN_USERS = 4
# label, marker, colour, size, and how far above (negative) or below its row; the marks differ in form
MARKS: dict[str, tuple[str, str, str, float, float]] = {
    "sent": ("sent by the server", ">", "#0072B2", 7, -0.2),
    "received": ("received", "o", "#009E73", 7, 0.2),
    "cut": ("connection cut", "x", "#D55E00", 8, 0),
    "back": ("connected again", "|", "#333333", 14, 0),
}


def messages_and_rooms(runs: Mapping[Side, Mapping[str, Any]], *, title: str) -> Figure:
    """Draw users' messages, and below them two counts over time.

    The first count is the number of open connections. The second is the number of user rooms with at least one socket;
    each user has one user room. There is one column per server. `runs` maps a server (`bad` or `good`) to the `details`
    that an experiment, scenario 03, recorded on this server. Scenario 03 cuts all connections once. Run it with
    `is_traced=True`: otherwise it does not record the counts.
    """
    sides = [side for side in SIDES if side in runs]
    figure = Figure(figsize=(7.4, 3.9), layout="constrained", facecolor="none")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, len(sides), sharex=True, sharey="row", squeeze=False)
    for column, side in enumerate(sides):
        _messages(panels[0][column], side, runs[side])
        _rooms(panels[1][column], side, runs[side])
        panels[1][column].set_xlabel("seconds since the start", color=INK, fontsize=9)
    panels[1][0].set_ylabel("count", color=INK, fontsize=9)
    add_legend(figure, [axes for row in panels for axes in row], columns=3)
    set_heading(figure, title)
    return figure


def _messages(axes: Axes, side: Side, run: Mapping[str, Any]) -> None:
    plain(axes, f"{side} server")
    users = run["timeline"][:SHOWN_USERS]
    name_rows(axes, [user["user"] for user in users])
    for kind, (label, marker, colour, size, offset) in MARKS.items():
        times = [[run["cut"]] if kind == "cut" else _listed(user[kind]) for user in users]
        points = [(at, row + offset) for row, found in enumerate(times) for at in found]
        axes.plot(
            [at for at, _ in points],
            [row for _, row in points],
            marker=marker,
            color=colour,
            markersize=size,
            markeredgewidth=1.8,
            linestyle="",
            label=label,
        )


def _listed(times: Any) -> list[float]:
    return times if isinstance(times, list) else [times]


def _rooms(axes: Axes, side: Side, run: Mapping[str, Any]) -> None:
    plain(axes)
    xs = [sample["seconds"] for sample in run["samples"]]
    connections, rooms = ([sample[key] for sample in run["samples"]] for key in ("connections", "rooms"))
    axes.plot(xs, connections, color="#333333", linewidth=1.8, label="connections open")
    look: Any = {"color": COLOURS[side], "linestyle": (0, (4, 2)), "marker": "s" if side == "bad" else "o"}
    axes.plot(xs, rooms, markersize=4.5, fillstyle="none", label=f"user rooms with a socket ({side})", **look)
    axes.set_ylim(-0.08 * max(connections), 1.15 * max(connections))
