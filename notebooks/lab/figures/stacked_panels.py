"""Creates figures with panels of different heights above each other."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lab.figures.bars import INK
from lab.figures.panels import plain

WIDTH_INCHES = 7.0
# text and marks that stand on a coloured area, and must be darker than the text around the figure
MARK_INK = "#222222"


def stacked_panels(
    names: Sequence[str], heights: Sequence[float], *, x_label: str, extra_height: float = 0.9
) -> tuple[Figure, list[Axes]]:
    """Create a figure with one panel per name.

    The panels share their horizontal axis, and each has its name above it. `heights` are the heights of the panels, in
    inches. `extra_height` is the space for the title, the axis and the legend, also in inches. Returns the figure and
    its panels.
    """
    figure = Figure(figsize=(WIDTH_INCHES, sum(heights) + extra_height), layout="constrained", facecolor="none")
    FigureCanvasAgg(figure)
    grid: Any = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)
    panels: list[Axes] = list(grid[:, 0])
    for name, axes in zip(names, panels, strict=True):
        plain(axes, name)
    panels[-1].set_xlabel(x_label, color=INK, fontsize=9)
    return figure, panels
