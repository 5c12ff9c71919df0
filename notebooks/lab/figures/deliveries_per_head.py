"""Draws which share of the drivers' positions each group of users received."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lab.figures.bars import COLOURS, INK
from lab.figures.panels import plain, set_heading
from lab.results.claims import SIDES, Side

DARKEST = {"bad": "#7A3400", "good": "#004D38"}


def deliveries_per_head(runs: Mapping[Side, Mapping[str, Any]], *, title: str) -> Figure:
    """Draw one heat map per server.

    A row is a company of drivers, and a column is a group of receivers. The shade of a cell is the share of the
    company's positions that a member of the group received on average. A frame marks the groups that should receive
    these positions. `runs` maps a server to the `details` of its run of scenario 06, an experiment in which drivers
    report their positions.
    """
    sides = [side for side in SIDES if side in runs]
    figure = Figure(figsize=(4.6 if len(sides) == 1 else 7.4, 3.5), layout="constrained", facecolor="none")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(sides), sharey=True, squeeze=False)[0]
    for side, axes in zip(sides, panels, strict=True):
        _panel(figure, axes, side, runs[side])
    panels[0].set_ylabel("company of the driver", color=INK, fontsize=9)
    set_heading(figure, title)
    return figure


def _panel(figure: Figure, axes: Axes, side: Side, run: Mapping[str, Any]) -> None:
    plain(axes, f"{side} server")
    shades = LinearSegmentedColormap.from_list(side, ["#FFFFFF", COLOURS[side], DARKEST[side]])
    axes.imshow(
        [[100 * share for share in row] for row in run["received"]], cmap=shades, vmin=0, vmax=100, aspect="auto"
    )
    for y, row in enumerate(run["concerned"]):
        for x in (x for x, is_concerned in enumerate(row) if is_concerned):
            axes.add_patch(Rectangle((x - 0.42, y - 0.42), 0.84, 0.84, fill=False, edgecolor="white", linewidth=2.6))
            axes.add_patch(Rectangle((x - 0.42, y - 0.42), 0.84, 0.84, fill=False, edgecolor="#111111", linewidth=1.3))
    names = _short(run["groups"])
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
    axes.set_yticks(range(len(run["companies"])), _short(run["companies"]), fontsize=8)
    axes.tick_params(length=0)
    axes.set_xlabel("receivers: office 0, 1, …; frame: concerned", color=INK, fontsize=9)
    bar = figure.colorbar(ScalarMappable(Normalize(0, 100), shades), ax=axes, orientation="horizontal", shrink=0.9)
    bar.set_label("% of the positions, for each member of the group", color=INK, fontsize=8.5)
    bar.ax.tick_params(colors=INK, labelsize=8)


def _short(groups: Sequence[str]) -> list[str]:
    return [group.removeprefix("company-") for group in groups]
