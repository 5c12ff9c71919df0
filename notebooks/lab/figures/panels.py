"""Creates figures with one panel for each server."""

import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from lab.figures.bars import INK
from lab.results.claims import Side

LETTERS_PER_INCH = 12.5
# matplotlib's names for the look of a mark in a legend
LEGEND: dict[str, Any] = {"frameon": False, "fontsize": 8.5, "labelcolor": INK, "handletextpad": 0.5, "borderpad": 0.2}


def new_panels(sides: Sequence[Side], *, height: float, width: float = 7.0) -> tuple[Figure, list[Axes]]:
    """Create a figure with one panel for each server in `sides`.

    A side is `bad` or `good`. The panels are one below the other and share their horizontal axis. `height` is the
    height of one panel, and `width` that of the figure, in inches. Returns the figure and its panels.
    """
    figure = Figure(figsize=(width, 0.85 + height * len(sides)), layout="constrained", facecolor="none")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(sides), 1, sharex=True, squeeze=False)[:, 0]
    for side, axes in zip(sides, panels, strict=True):
        plain(axes, f"{side} server")
    return figure, list(panels)


def plain(axes: Axes, name: str = "") -> None:
    """Give a panel a plain style, and write `name` above the panel.

    The panel has no background, and lines only at the left and at the bottom.
    """
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
    axes.tick_params(colors=INK, labelsize=9)
    axes.set_title(name, loc="left", fontsize=9.5, color=INK, weight="bold")


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Label the rows of a panel, from top to bottom.

    Row 0, the top row, is at y = 0, and the next row is at y = 1. A thin line marks each row.
    """
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for row in range(len(names)):
        axes.axhline(row, color=INK, alpha=0.25, linewidth=0.6, zorder=0)


def set_heading(figure: Figure, title: str) -> Text:
    """Set the title of the whole figure, wrapped into lines."""
    letters = int(LETTERS_PER_INCH * figure.get_figwidth())
    return figure.suptitle(textwrap.fill(title, letters), x=0.01, ha="left", fontsize=10.5, color=INK)


def label_end(axes: Axes, text: str, x: float, y: float, *, shift: float = 0) -> None:
    """Write a label at the end of a line.

    The line ends at (`x`, `y`), in the coordinates of the data. `shift` moves the label up by this number of points.
    """
    axes.annotate(text, (x, y), (7, shift), textcoords="offset points", va="center", color=INK, fontsize=8.5)


def add_legend(figure: Figure, panels: Sequence[Axes], *, columns: int) -> None:
    """Add one legend to the figure, below all its panels.

    The legend has `columns` columns. A label that several panels have appears only once.
    """
    found = [axes.get_legend_handles_labels() for axes in panels]
    handles = {label: handle for pair in found for handle, label in zip(*pair, strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower left", ncols=columns, **LEGEND)
