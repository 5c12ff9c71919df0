"""Draws the values of the bad and the good server as bars.

The values were measured. The bad server has the mistakes that the good server avoids. The bars differ in pattern as
well as in colour, so that the figures are readable in grey and by colour-blind people.
"""

import io
import math
import re
import textwrap
from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.text import Text

from lab.results.claims import SIDES, Claim, Runs, Side
from lab.results.verdict import reported_value
from lab.results.wording import finding, number

COLOURS = {"bad": "#D55E00", "good": "#009E73"}
HATCHES = {"bad": "////", "good": ""}
# a grey with enough contrast on white and on black; a page replaces it with its own text colour
INK = "#777777"
PAPER_INK = "#333333"
FONT = "system-ui, sans-serif"
TITLE_LETTERS = 76
# the axis ends at this multiple of the largest value; the numbers are written in the space beyond
VALUES_BEGIN = 1.14


def new_figure(width: float = 6.4, height: float = 1.9) -> tuple[Figure, Axes]:
    """Create a figure with plain axes; `width` and `height` are in inches."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="none")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor="none")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(INK)
    axes.tick_params(colors=INK, labelsize=9)
    return figure, axes


def side_by_side(claim: Claim, runs: Runs, *, is_titled: bool = True) -> Figure:
    """Draw the values of both servers for one claim as bars.

    A claim states in which range each server's value is. The title says what was found. If a server has several runs
    (measurements), each run is a dot. A dashed line is the end of the range in which a server's value must be to
    confirm the claim.
    """
    figure, axes = new_figure()
    values = {side: reported_value(claim, runs[side]) for side in SIDES}
    end = max(claim.best, claim.worst, *(value for value in values.values() if value is not None))
    for row, side in enumerate(SIDES):
        _bar(axes, row, side, values[side], [run.value for run in runs[side]])
        _bound(axes, row, claim.wanted(side), claim.bound(side), end)
    axes.set_yticks(range(len(SIDES)), [f"{side} (n={len(runs[side])})" for side in SIDES])
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, end * VALUES_BEGIN)
    axes.set_ylim(len(SIDES) - 0.6, -0.55)
    axes.set_xlabel(f"{claim.metric} ({claim.unit})", color=INK, fontsize=9)
    if is_titled:
        set_title(axes, finding(claim, runs))
    return figure


def set_title(axes: Axes, title: str) -> None:
    """Set the title of the axes, wrapped into lines of similar length."""
    lines = math.ceil(len(title) / TITLE_LETTERS)
    width = min(TITLE_LETTERS, len(title) // lines + TITLE_LETTERS // 8)
    axes.set_title(textwrap.fill(title, width), loc="left", fontsize=10, color=INK)


def _bar(axes: Axes, row: int, side: Side, value: float | None, runs: Sequence[float]) -> None:
    drawn = 0 if value is None else value
    colour, hatch = COLOURS[side], HATCHES[side]
    axes.barh(row, drawn, height=0.5, facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0)
    if len(runs) > 1:
        axes.plot(runs, [row] * len(runs), "o", color=INK, markeredgecolor="white", markersize=5)
    # the numbers stand in their own column, where they cover no bar and no bound
    right = axes.get_yaxis_transform()
    axes.text(1, row, number(value), transform=right, ha="right", va="center", color=INK, weight="bold")


def _bound(axes: Axes, row: int, label: str, bound: float, end: float) -> None:
    axes.vlines(bound, row - 0.38, row + 0.34, color=INK, linestyle=(0, (3, 2)), linewidth=1.4)
    offset, alignment = (-4, "right") if bound > end / 2 else (4, "left")
    note = axes.annotate(label, (bound, row - 0.38), (offset, 0), textcoords="offset points", va="center", color=INK)
    note.set(ha=alignment, fontsize=8)


def as_png(figure: Figure, *, dots_per_inch: int = 100) -> bytes:
    """Render the figure as a PNG image, with dark text on white.

    A PNG image cannot use the text colour of the page that shows it.
    """
    for text in figure.findobj(Text):
        if same_color(text.get_color(), INK):
            text.set_color(PAPER_INK)
    buffer = io.BytesIO()
    # the metadata leaves out the library's version, so that the same figure gives the same file
    figure.savefig(buffer, format="png", dpi=dots_per_inch, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def as_svg(figure: Figure) -> str:
    """Render the figure as SVG.

    The text has the colour of the text on the page that shows the figure.
    """
    buffer = io.StringIO()
    # a fixed salt, so that the same figure gives the same text
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "rooms"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = re.sub(r"(font: [\d.]+px) [^;\"]+", rf"\1 {FONT}", text[text.index("<svg") :])
    return text.replace(INK, "currentColor")
