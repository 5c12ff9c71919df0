"""Draws panels above each other, with one horizontal axis for all."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lab.figures.bars import INK, TITLE_LETTERS

WIDTH_INCHES = 6.8
# text and marks that stand on a coloured area, and must be darker than the text around the figure
MARK_INK = "#222222"
LEGEND: Mapping[str, Any] = {"frameon": False, "fontsize": 8, "labelcolor": INK, "handletextpad": 0.4}


def stacked_panels(heights: Sequence[float], *, x_label: str, extra_height: float = 0.9) -> tuple[Figure, list[Axes]]:
    """Create a figure with one panel per height, in inches.

    `extra_height` is the space for the title, the axis and the legend.
    """
    figure = Figure(figsize=(WIDTH_INCHES, sum(heights) + extra_height), layout="constrained", facecolor="none")
    FigureCanvasAgg(figure)
    grid: Any = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)
    panels: list[Axes] = list(grid[:, 0])
    for axes in panels:
        axes.set_facecolor("none")
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["bottom", "left"]].set_color(INK)
        axes.tick_params(colors=INK, labelsize=8.5)
    panels[-1].set_xlabel(x_label, color=INK, fontsize=9)
    return figure, panels


def name_panel(axes: Axes, text: str) -> None:
    """Write what a panel shows above its left edge."""
    axes.set_title(text, loc="left", fontsize=9, color=INK, pad=3)


def title_figure(figure: Figure, title: str) -> None:
    """Set the title of a figure, wrapped into lines of about equal length."""
    lines = math.ceil(len(title) / TITLE_LETTERS)
    width = min(TITLE_LETTERS, len(title) // lines + TITLE_LETTERS // 8)
    # from the left edge, because row names may be long
    figure.suptitle(textwrap.fill(title, width), x=0.01, ha="left", fontsize=10, color=INK)
