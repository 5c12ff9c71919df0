"""Answers for how measurements look: one way to draw bad beside good, readable in grey and by the colour-blind."""

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lab.claims import SIDES, Side, shown_value
from lab.compare import Result

COLOURS: dict[str, str] = {"bad": "#D55E00", "good": "#009E73"}
HATCHES: dict[str, str] = {"bad": "///", "good": ""}
INK = "#444444"


def new_figure(width: float = 6.4, height: float = 1.9) -> tuple[Figure, Axes]:
    """A figure and its axes, with nothing drawn that carries no information; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK)
    return figure, axes


def finding(result: Result) -> str:
    """What was found, in one line: the title of the figure."""
    bad, good = (shown_value(result.runs[side]) for side in SIDES)
    return f"{result.claim.metric.capitalize()}: {bad:.3g} with the mistake, {good:.3g} without"


def side_by_side(result: Result) -> Figure:
    """Both sides of one claim as bars on one axis, their bounds as lines, every run as a dot."""
    claim = result.claim
    figure, axes = new_figure()
    for row, side in enumerate(SIDES):
        runs = [run.value for run in result.runs[side]]
        value = shown_value(result.runs[side])
        axes.barh(row, value, height=0.6, color=COLOURS[side], hatch=HATCHES[side], edgecolor="white")
        axes.plot(runs, [row] * len(runs), "o", color=INK, markersize=3)
        axes.vlines(claim.bound(side), row - 0.42, row + 0.42, color=INK, linestyle="--", linewidth=1)
        axes.annotate(f" {value:.3g}", (value, row), va="center", color=INK, fontsize=9)
    axes.set_yticks(range(len(SIDES)), [_label(result, side) for side in SIDES])
    axes.set_xlim(left=0)
    axes.margins(x=0.12)
    axes.invert_yaxis()
    axes.set_xlabel(f"{claim.metric} ({claim.unit}); dashed: the bound", color=INK)
    axes.set_title(finding(result), loc="left", fontsize=10)
    return figure


def _label(result: Result, side: Side) -> str:
    return f"{side} (n={len(result.runs[side])})"


def as_svg(figure: Figure, *, keywords: Sequence[str] = ()) -> str:
    """The figure as an SVG element to put into a page."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Keywords": list(keywords)})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
