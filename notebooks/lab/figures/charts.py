"""Draws figures of single lessons: timelines, counts over time, and fitted lines."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lab.figures.bars import COLOURS, INK, new_figure, set_title
from lab.results.claims import Side
from lab.results.statistics import slope
from lab.results.wording import number

# marker, colour and size for each kind of event; the kinds differ in form as well as in colour
SIGNS = {
    "connected": ("|", "#333333", 13.0),
    "cut": ("x", "#D55E00", 7.0),
    "sent": (">", "#0072B2", 6.0),
    "received": ("o", "#009E73", 6.5),
    "ready": ("s", "#CC79A7", 6.0),
}
LINES = {"bad": ("s", (0, (4, 2))), "good": ("o", "-")}
# a line that rises by less than this part of the figure looks flat
FLAT = 0.01
# a side, its values of x, and its values of y
Growth = tuple[Side, Sequence[float], Sequence[float]]
# values of x and values of y
Level = tuple[Sequence[float], Sequence[float]]
DASHES: tuple[tuple[str, Any], ...] = (("#333333", "-"), ("#D55E00", (0, (4, 2))), ("#0072B2", (0, (1, 1.5))))
Events = Mapping[str, Sequence[float]]
# the longest label that fits along the vertical axis of a low figure
AXIS_LETTERS = 28


def timeline(rows: Mapping[str, Events], *, title: str, x_label: str = "seconds since the start") -> Figure:
    """Draw one row of event markers for each entry of `rows`.

    A key of `rows` is the name of a row. The value maps each kind of event (a key of `SIGNS`, such as `sent`) to the
    times of these events, in seconds.
    """
    figure, axes = new_figure(height=1.3 + 0.24 * len(rows))
    kinds = [kind for kind in SIGNS if any(kind in row for row in rows.values())]
    for kind in kinds:
        marker, colour, size = SIGNS[kind]
        points = [(at, row_number) for row_number, row in enumerate(rows.values()) for at in row.get(kind, ())]
        xs, ys = zip(*points, strict=True) if points else ((), ())
        axes.plot(xs, ys, linestyle="", marker=marker, color=colour, markersize=size, markeredgewidth=1.8, label=kind)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    # the axis begins at the moment that its label names
    axes.set_xlim(left=min(0, axes.get_xlim()[0]))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=INK, alpha=0.25, linewidth=0.6)
    axes.set_xlabel(x_label, color=INK, fontsize=9)
    style = {"fontsize": 8, "labelcolor": INK, "handletextpad": 0.2, "borderpad": 0.2}
    figure.legend(loc="outside lower right", ncols=len(kinds), frameon=False, **style)
    set_title(axes, title)
    return figure


def levels(lines: Mapping[str, Level], *, title: str, x_label: str, y_label: str) -> Figure:
    """Draw counts over time as lines, each with its name.

    `lines` maps the name of a line to its x values and y values. The lines differ in their dashes as well as in colour.
    """
    figure, axes = new_figure(height=2.4)
    _show_left_axis(axes)
    for (name, (xs, ys)), (colour, dashes) in zip(lines.items(), DASHES, strict=False):
        axes.plot(xs, ys, color=colour, linestyle=dashes, linewidth=1.8, drawstyle="steps-post")
        _label_end(axes, name, xs[-1], ys[-1])
    axes.set_xlabel(x_label, color=INK, fontsize=9)
    axes.set_ylabel(y_label, color=INK, fontsize=9)
    axes.set_ylim(bottom=0)
    set_title(axes, title)
    return figure


def _show_left_axis(axes: Axes) -> None:
    axes.spines["left"].set_visible(True)
    axes.spines["left"].set_color(INK)


def _label_end(axes: Axes, text: str, x: float, y: float) -> None:
    axes.annotate(text, (x, y), (8, 0), textcoords="offset points", va="center", color=INK, fontsize=8.5)


def _singular(each: str) -> str:
    """Return `each` with its first word in the singular.

    For example, `ids for each round` becomes `id for each round`.
    """
    unit, _, rest = each.partition(" ")
    return f"{unit.removesuffix('s')} {rest}"


def rises(lines: Sequence[Growth]) -> dict[Side, float]:
    """Return the slope of the line through each server's points.

    The keys are the servers, `bad` and `good`. A line that rises very little, compared with the highest value of both
    servers, gets the slope 0: its slope is only noise.
    """
    tallest = max(abs(y) for _, _, ys in lines for y in ys)
    slopes = {side: slope(xs, ys) for side, xs, ys in lines}
    width = {side: max(xs) - min(xs) for side, xs, _ in lines}
    return {side: rise if abs(rise) * width[side] > FLAT * tallest else 0.0 for side, rise in slopes.items()}


def growth(lines: Sequence[Growth], *, title: str, x_label: str, y_label: str, each: str) -> Figure:
    """Draw measured points and a fitted line for each server.

    An entry of `lines` is the server (`bad` or `good`), its x values and its y values. The label at the end of a line
    is its slope, followed by the text `each`, such as `ids for each reconnect`. For the slope 0, the label is
    `no change`.
    """
    figure, axes = new_figure(height=2.4)
    _show_left_axis(axes)
    slopes = rises(lines)
    for side, xs, ys in lines:
        marker, style = LINES[side]
        rise, mean_x, mean_y = slopes[side], sum(xs) / len(xs), sum(ys) / len(ys)
        fitted = [mean_y + rise * (x - mean_x) for x in xs]
        axes.plot(xs, fitted, linestyle=style, color=COLOURS[side], linewidth=1.5)
        axes.plot(xs, ys, linestyle="", marker=marker, color=COLOURS[side], markersize=6)
        amount = number(rise)
        what = _singular(each) if amount == "1" else each
        change = f"{'+' if rise > 0 else ''}{amount} {what}" if amount != "0" else "no change"
        label = f"{side} (n={len(xs)}): {change}"
        _label_end(axes, label, xs[-1], fitted[-1])
    axes.set_xlabel(x_label, color=INK, fontsize=9)
    axes.set_ylabel(textwrap.fill(y_label, AXIS_LETTERS), color=INK, fontsize=9)
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], min_n_ticks=3))
    set_title(axes, title)
    return figure
