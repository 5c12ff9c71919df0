"""Answers for how measurements look: one way to draw bad beside good, readable in grey and by the colour-blind."""

import io
import re
import textwrap
from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lab.claims import SIDES, Claim, Runs, Side, reported
from lab.words import finding, number

COLOURS = {"bad": "#D55E00", "good": "#009E73"}
HATCHES = {"bad": "////", "good": ""}
# a grey with enough contrast on white and on black; a page puts its own ink in its place
INK = "#777777"
FONT = "system-ui, sans-serif"
TITLE_LETTERS = 76
# the room for values, beyond the end of the scale
VALUES_BEGIN = 1.14


def new_figure(width: float = 6.4, height: float = 1.9) -> tuple[Figure, Axes]:
    """A figure and its axes, with nothing drawn that carries no information; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="none")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor="none")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(INK)
    axes.tick_params(colors=INK, labelsize=9)
    return figure, axes


def side_by_side(claim: Claim, runs: Runs, *, is_titled: bool = True) -> Figure:
    """Both sides as bars on one axis: every run a dot, the bounds dashed lines, the finding as title."""
    figure, axes = new_figure()
    values = {side: reported(claim, runs[side]) for side in SIDES}
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
        title = textwrap.fill(finding(claim, runs), TITLE_LETTERS)
        axes.set_title(title, loc="left", fontsize=10, color=INK)
    return figure


def _bar(axes: Axes, row: int, side: Side, value: float | None, runs: Sequence[float]) -> None:
    drawn = 0 if value is None else value
    colour, hatch = COLOURS[side], HATCHES[side]
    axes.barh(row, drawn, height=0.5, facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0)
    if len(runs) > 1:
        axes.plot(runs, [row] * len(runs), "o", color=INK, markeredgecolor="white", markersize=5)
    # in a column of its own, clear of bars and bounds
    right = axes.get_yaxis_transform()
    axes.text(1, row, number(value), transform=right, ha="right", va="center", color=INK, weight="bold")


def _bound(axes: Axes, row: int, words: str, bound: float, end: float) -> None:
    axes.vlines(bound, row - 0.38, row + 0.34, color=INK, linestyle=(0, (3, 2)), linewidth=1.4)
    aside, leaning = (-4, "right") if bound > end / 2 else (4, "left")
    above = axes.annotate(words, (bound, row - 0.38), (aside, 0), textcoords="offset points", va="center", color=INK)
    above.set(ha=leaning, fontsize=8)


def as_svg(figure: Figure) -> str:
    """The figure as an SVG element for a page: in the page's font, and in its ink, be that dark or light."""
    buffer = io.StringIO()
    # a fixed salt: the same figure is the same text
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "rooms"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = re.sub(r"(font: [\d.]+px) [^;\"]+", rf"\1 {FONT}", text[text.index("<svg") :])
    return text.replace(INK, "currentColor")
