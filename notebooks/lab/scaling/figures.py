"""Draws the bar charts and the capacity plan of notebook 12.

The capacity plan says how many server processes are needed for how many users.
"""

import statistics
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from lab.figures.bars import COLOURS, HATCHES, INK, TITLE_LETTERS, VALUES_BEGIN, new_figure, set_title
from lab.results.wording import number
from lab.scaling import capacity

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

    `rows` maps the name of a bar to its measured values. The length of the bar is the median of the values, and each
    value is drawn as a dot. `looks` maps the name of a bar to the style `bad` or `good`. `guess` is the value that the
    reader of the notebook expected; it is drawn as a vertical line.
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


def capacity_lines(measured: capacity.Measured, assumed: capacity.Assumed) -> Figure:
    """Draws how many server processes each number of drivers needs.

    A driver is a user of the product, such as a courier, who sends positions. One line is for a single shard, in
    which all processes share one Redis channel. This line ends at the largest number of drivers that a single shard
    can serve. The other line is for several shards; each shard has the users of some companies.
    """
    drawing, axes = new_figure(height=3.0)
    axes.spines["left"].set_visible(True)
    axes.spines["left"].set_color(INK)
    channel_limit = capacity.max_drivers_in_one_shard(measured, assumed)
    drivers = [round(10 ** (3 + step / 12)) for step in range(5 * 12 + 1)]
    sharded = [
        capacity.plan(count, measured, assumed, shards=capacity.shards_needed(count, measured, assumed))
        for count in drivers
    ]
    _add_line(axes, drivers, sharded, "good", "sharded by company")
    below_limit = [count for count in drivers if count < channel_limit] + [channel_limit]
    one_channel = [capacity.plan(count, measured, assumed) for count in below_limit]
    _add_line(axes, below_limit, one_channel, "bad", "one channel for all processes")
    top = max(planned.processes or 0 for planned in sharded)
    reason = capacity.plan(2 * channel_limit, measured, assumed).limit
    axes.plot([channel_limit, channel_limit], [1, top], color=INK, linestyle=":", linewidth=1.2)
    note = f"the limit of one channel:\n{reason}"
    position: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "va": "top"}
    axes.annotate(note, (channel_limit, top), (-6, -2), color=INK, fontsize=8, **position)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for size in capacity.FLEET_SIZES:
        axes.axvline(size, color=INK, alpha=0.3, linewidth=0.8)
    axes.set_xlabel("drivers", color=INK, fontsize=9)
    axes.set_ylabel("server processes", color=INK, fontsize=9)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="lower right")
    rounded_limit = float(f"{channel_limit:.2g}")
    set_title(axes, f"Calculated: one channel serves about {rounded_limit:,.0f} drivers, shards serve more")
    return drawing


def _add_line(axes: object, xs: Sequence[float], plans: Sequence[capacity.Plan], side: str, name: str) -> None:
    marker, style, width = {"bad": ("s", (0, (2, 2)), 3.0), "good": ("o", "-", 1.5)}[side]
    ys = [planned.processes or 0 for planned in plans]
    colour = COLOURS[side]
    axes.plot(xs, ys, color=colour, linestyle=style, marker=marker, markevery=12, linewidth=width, label=name)  # type: ignore[attr-defined]
