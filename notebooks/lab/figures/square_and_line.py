"""Draws deliveries against the number of clients: quadratic and linear growth.

A delivery is one position of a driver that one client receives.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from matplotlib.figure import Figure

from lab.figures.bars import COLOURS, INK
from lab.figures.panels import label_end, new_panels, set_heading
from lab.results.claims import SIDES, Side

MARKERS = {"bad": ("s", (0, (4, 2))), "good": ("o", "-")}


def growth_per_doubling(sizes: Sequence[float], counts: Sequence[float]) -> float:
    """Return the factor by which a count grows when the size doubles.

    The factor is the geometric mean over the steps from each size to the next one. It is 2 for linear growth and 4 for
    quadratic growth. `counts` has one count for each of `sizes`.
    """
    powers = [
        math.log(after / before) / math.log(size / last) for (last, size), (before, after) in _steps(sizes, counts)
    ]
    return float(2 ** (sum(powers) / len(powers)))


def _steps(sizes: Sequence[float], counts: Sequence[float]) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    return list(zip(pairwise(sizes), pairwise(counts), strict=True))


def square_and_line(clients: Sequence[int], deliveries: Mapping[Side, Sequence[int]], *, title: str) -> Figure:
    """Draw the deliveries of drivers' positions against the number of clients.

    A delivery is one position that one client receives. There is one line per server. For each server, `deliveries` has
    one count per number in `clients`: all deliveries when each driver sends one position.
    """
    figure, (axes,) = new_panels(["bad"], height=2.2)
    axes.set_title("", loc="left")
    for side in SIDES:
        marker, dashes = MARKERS[side]
        counts = deliveries[side]
        axes.plot(clients, counts, marker=marker, linestyle=dashes, color=COLOURS[side], markersize=7, linewidth=1.6)
        factor = growth_per_doubling(clients, counts)
        text = f"{side}: {counts[-1]:,} deliveries\n× {factor:.2g} for twice the clients"
        label_end(axes, text, clients[-1], counts[-1], shift=6)
    axes.set_xticks(clients)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("clients; one position from each driver", color=INK, fontsize=9)
    axes.set_ylabel("deliveries", color=INK, fontsize=9)
    set_heading(figure, title)
    return figure
