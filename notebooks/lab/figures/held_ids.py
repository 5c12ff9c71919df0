"""Draws a server's stored socket ids and open connections over time."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.figures.bars import COLOURS, INK
from lab.figures.panels import add_legend, label_end, new_panels, set_heading
from lab.results.claims import SIDES, Side

MARKERS = {"bad": "s", "good": "o"}


def held_ids(traces: Mapping[Side, Mapping[str, Any]], *, title: str) -> Figure:
    """Draw each server's stored socket ids and open connections over time.

    There is one panel per server. `traces` maps a server to the `details` of its run of scenario 01, an experiment in
    which all connections are lost repeatedly. The run needs the argument `is_traced=True`, so that the ids are counted
    over time.
    """
    sides = [side for side in SIDES if side in traces]
    figure, panels = new_panels(sides, height=2.0)
    for side, axes in zip(sides, panels, strict=True):
        _panel(axes, side, traces[side])
    most = max(max(_points(trace, "ids_held")[1]) for trace in traces.values())
    for axes in panels:
        axes.set_ylim(-0.09 * most, 1.1 * most)
    panels[-1].set_xlabel("seconds since the first connection was lost", color=INK, fontsize=9)
    add_legend(figure, panels, columns=3)
    set_heading(figure, title)
    return figure


def _panel(axes: Axes, side: Side, trace: Mapping[str, Any]) -> None:
    for number, at in enumerate(trace["lost_at"]):
        label = "all connections lost" if not number else None
        axes.axvline(at - _start(trace), color=INK, linewidth=1, linestyle=(0, (1, 2)), label=label)
    xs, ys = _points(trace, "connections")
    axes.plot(xs, ys, color="#333333", linewidth=1.8, label="connections open")
    held_xs, held_ys = _points(trace, "ids_held")
    look: Any = {"color": COLOURS[side], "marker": MARKERS[side], "markersize": 6, "linestyle": (0, (4, 2))}
    axes.plot(held_xs, held_ys, fillstyle="none", linewidth=1.4, label=f"ids held ({side} server)", **look)
    pings = [at - _start(trace) for at in trace["unanswered_pings"]]
    bottom = axes.get_xaxis_transform()
    axes.plot(
        pings, [0.035] * len(pings), "|", color="#0072B2", markersize=9, transform=bottom, label="heartbeat unanswered"
    )
    is_same = abs(held_ys[-1] - ys[-1]) < max(ys) / 2
    label_end(axes, f"{held_ys[-1]} ids held", held_xs[-1], held_ys[-1], shift=7 if is_same else 0)
    label_end(axes, f"{ys[-1]} connections", xs[-1], ys[-1], shift=-7 if is_same else 0)
    axes.set_ylabel("count", color=INK, fontsize=9)


def _start(trace: Mapping[str, Any]) -> float:
    return float(trace["lost_at"][0])


def _points(trace: Mapping[str, Any], key: str) -> tuple[list[float], list[int]]:
    found = [(sample["seconds"] - _start(trace), sample[key]) for sample in trace["samples"] if key in sample]
    return [at for at, _ in found], [count for _, count in found]
