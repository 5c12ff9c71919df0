"""Draws the bar figures of lesson 12, with a dot per run."""

import statistics
import textwrap
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from lab.figures.bars import COLOURS, HATCHES, INK, TITLE_LETTERS, VALUES_BEGIN, new_figure
from lab.results.wording import number

# hatches too, so that a grey print is readable
STYLES = {"bad": (COLOURS["bad"], HATCHES["bad"]), "good": (COLOURS["good"], HATCHES["good"]), "plain": (INK, "....")}


def bars(
    rows: Mapping[str, Sequence[float]],
    *,
    title: str,
    x_label: str,
    looks: Mapping[str, str] | None = None,
    guess: float | None = None,
) -> Figure:
    """Draws one horizontal bar for each entry of `rows`.

    `rows` maps the name of a bar to the values of its runs. The bar shows their median, and a dot shows each value.
    `looks` maps the name of a bar to the style `bad` or `good`. The reader's `guess` is a vertical line.
    """
    figure, axes = new_figure(height=1.1 + 0.36 * len(rows))
    largest = max([*(value for runs in rows.values() for value in runs), guess or 0.0])
    for place, (name, runs) in enumerate(rows.items()):
        colour, hatch = STYLES[(looks or {}).get(name, "plain")]
        median = statistics.median(runs)
        axes.barh(place, median, height=0.55, facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0)
        if len(runs) > 1:
            axes.plot(runs, [place] * len(runs), "o", color="#333333", markeredgecolor="white", markersize=5)
        right_edge = axes.get_yaxis_transform()
        axes.text(1, place, number(median), transform=right_edge, ha="right", va="center", color=INK, weight="bold")
    if guess is not None:
        axes.axvline(guess, color=INK, linestyle=(0, (1, 1.5)), linewidth=1.2)
        axes.annotate("your guess", (guess, -0.45), (4, 0), textcoords="offset points", color=INK, fontsize=8)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, largest * VALUES_BEGIN)
    axes.set_ylim(len(rows) - 0.5, -0.6)
    axes.set_xlabel(x_label, color=INK, fontsize=9)
    # from the left edge, because row names may be long
    figure.suptitle(textwrap.fill(title, TITLE_LETTERS), x=0.01, ha="left", fontsize=10, color=INK)
    return figure
