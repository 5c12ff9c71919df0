"""Draws the results of claims, and the route of a driver.

A claim is a statement about the bad and the good server.
"""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from lab.compare.comparison import Result
from lab.figures.bars import COLOURS, INK, new_figure, set_title
from lab.results.claims import SIDES
from lab.results.verdict import reported_value
from lab.results.wording import number

MARKS = {"bad": "s", "good": "o"}
# marker, colour and size for each viewer of a drive; the markers fit around each other and differ in form
VIEWERS = (("o", "#0072B2", 6.5), ("x", "#D55E00", 9.0), ("s", "#009E73", 12.0), ("+", "#333333", 9.0))


def scores(results: Sequence[Result], *, title: str) -> Figure:
    """Draw one row per claim, with the values of both servers.

    A claim is a statement about the bad and the good server, and its metric is what was measured. The left end of a row
    is the worst value of the metric, the right end is the best.
    """
    figure, axes = new_figure(7.4, 0.9 + 0.34 * len(results))
    for row, result in enumerate(results):
        claim = result.claim
        positions = []
        for side in SIDES:
            value = reported_value(claim, result.runs[side])
            if value is None:
                continue
            position = min(1.0, max(0.0, (value - claim.worst) / (claim.best - claim.worst)))
            positions.append(position)
            axes.plot([position], [row], MARKS[side], color=COLOURS[side], markersize=8, zorder=3)
            offset, alignment = (-9, "right") if side == "bad" else (9, "left")
            label = axes.annotate(number(value), (position, row), (offset, 0), textcoords="offset points")
            label.set(ha=alignment, va="center", color=INK, fontsize=8)
        axes.plot(positions, [row] * len(positions), color=INK, linewidth=1, alpha=0.6)
    axes.set_yticks(range(len(results)), [f"{result.claim.id}  {result.claim.metric}" for result in results])
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(-0.16, 1.16), ylim=(len(results) - 0.4, -0.6))
    axes.set_xticks([0, 1], ["worst", "best"])
    for side in SIDES:
        axes.plot([], [], MARKS[side], color=COLOURS[side], label=f"{side} server")
    figure.legend(loc="outside lower right", ncols=len(SIDES), frameon=False, fontsize=8, labelcolor=INK)
    set_title(axes, title)
    return figure


def track(
    driven: Sequence[tuple[float, float]], seen: Mapping[str, Sequence[tuple[float, float]]], *, title: str
) -> Figure:
    """Draw a driver's route and the positions that each viewer received.

    `driven` is the route, and `seen` maps a viewer to positions. A position is a pair of longitude and latitude.
    """
    figure, axes = new_figure(height=3.4)
    axes.plot(*zip(*driven, strict=True), color=INK, linewidth=6, alpha=0.15, solid_capstyle="round")
    axes.annotate("start", driven[0], (0, -14), textcoords="offset points", ha="center", color=INK, fontsize=9)
    for (viewer, positions), (mark, colour, size) in zip(seen.items(), VIEWERS, strict=False):
        coordinates = list(zip(*positions, strict=True)) or [(), ()]
        label = f"{viewer}: {len(positions)} received"
        axes.plot(*coordinates, mark, color=colour, label=label, markersize=size, fillstyle="none", markeredgewidth=1.6)
    axes.set_xlabel("longitude (degrees)", color=INK)
    axes.set_ylabel("latitude (degrees)", color=INK)
    axes.margins(0.08)
    figure.legend(loc="outside lower center", ncols=len(seen), frameon=False, fontsize=9, labelcolor=INK)
    set_title(axes, title)
    return figure
