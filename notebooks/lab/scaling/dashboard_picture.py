"""Draws the picture of the Grafana dashboard for `lab dashboard`.

The picture contains the answers of a real Prometheus to the queries of `good_server/deploy/dashboard.json`. Prometheus
recorded these values while many clients used the server.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, PercentFormatter

from lab.figures.bars import INK
from lab.figures.panels import plain, set_heading
from lab.scaling.dashboard_load import ROOM_MEMBERS, SLOW_CONSUMERS, WRITERS
from lab.scaling.dashboard_run import STEP_SECONDS, THE_SERVER, Observed, Panel

COLUMNS = 2
# 8 inches at 100 dots are 800 pixels
WIDTH_INCHES, PANEL_INCHES = 8.0, 1.9
# Okabe and Ito: told apart by colour-blind readers, and by their patterns in grey
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", ":")
FORMATS: dict[str, Any] = {
    "percentunit": lambda: PercentFormatter(1.0, decimals=0),
    "bytes": lambda: EngFormatter("B"),
}
UNITS = {"cps": "per second"}


def draw(observed: Observed) -> Figure:
    """Draws the panels of the Grafana dashboard in two columns.

    Two time spans are shaded. During A, slow consumers (clients that stop reading) join. During B, the server restarts.
    """
    rows = -(-len(observed.panels) // COLUMNS)
    figure = Figure(figsize=(WIDTH_INCHES, 0.7 + PANEL_INCHES * rows), layout="constrained", facecolor="none")
    FigureCanvasAgg(figure)
    grid: Any = figure.subplots(rows, COLUMNS, sharex=True, squeeze=False)
    for axes, panel in zip(grid.flat, observed.panels, strict=False):
        _draw_panel(axes, panel, observed)
    for axes in grid[-1]:
        axes.set_xlabel("seconds since the start of the run", color=INK, fontsize=9)
    set_heading(
        figure,
        f"{ROOM_MEMBERS + WRITERS} clients in a room, as Prometheus sees them: A, {SLOW_CONSUMERS} clients stop"
        f" reading; B, the server restarts",
    )
    return figure


def _draw_panel(axes: Axes, panel: Panel, observed: Observed) -> None:
    plain(axes, panel.title)
    for letter, (begins, ends) in (("A", observed.slow), ("B", observed.restart)):
        axes.axvspan(begins, ends, color=INK, alpha=0.18, linewidth=0)
        position: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "top"}
        axes.text((begins + ends) / 2, 0.98, letter, color=INK, fontsize=9, weight="bold", **position)
    for place, (name, points) in enumerate(sorted(panel.series.items())):
        xs, ys = zip(*_with_gaps(points), strict=True) if points else ((), ())
        style = LINES[place % len(LINES)]
        axes.plot(xs, ys, color=COLOURS[place % len(COLOURS)], linestyle=style, linewidth=1.6, label=name)
    # room above the lines for the letters and the legend
    axes.set_ylim(0, axes.get_ylim()[1] * 1.3)
    axes.set_xlim(0, observed.seconds)
    if panel.unit in FORMATS:
        axes.yaxis.set_major_formatter(FORMATS[panel.unit]())
    axes.set_ylabel(UNITS.get(panel.unit, ""), color=INK, fontsize=8.5)
    if panel.series.keys() - {THE_SERVER}:
        axes.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc="upper left", borderpad=0.2, labelspacing=0.25)


def _with_gaps(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Returns the points with a NaN wherever Prometheus had no value.

    A point is a pair: the seconds since the start, and the value. The NaN makes a gap in the drawn line.
    """
    found = list(points[:1])
    for before, after in pairwise(points):
        if after[0] - before[0] > 1.5 * STEP_SECONDS:
            found.append((before[0] + STEP_SECONDS, math.nan))
        found.append(after)
    return found
