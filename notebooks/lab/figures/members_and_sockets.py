"""Draws how many members a server knows, and how many are connected.

The members are the members of one room. The bad server knows the members in its database table. The good server knows
the members that have a socket in the room.
"""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.figures.bars import COLOURS, INK
from lab.figures.panels import add_legend, label_end, new_panels, set_heading
from lab.results.claims import SIDES, Side

# where each server keeps its members: the key of the samples, and the label
KNOWN = {"bad": ("rows", "members in the table (bad)"), "good": ("in_room", "members in the room (good)")}
MARKERS = {"bad": "s", "good": "o"}


def members_and_sockets(runs: Mapping[Side, Mapping[str, Any]], *, title: str) -> Figure:
    """Draw known and connected members over time, one panel per server.

    On the bad server, the known members are the rows of its database table. On the good server, they are the members
    with a socket in the room. A connected member has an open socket. `runs` maps a server to the `details` of its run
    of scenario 04, an experiment in which members close tabs and the server is killed. The run needs the argument
    `is_traced=True`, so that the members are counted over time.
    """
    sides = [side for side in SIDES if side in runs]
    figure, panels = new_panels(sides, height=2.0)
    for side, axes in zip(sides, panels, strict=True):
        _panel(axes, side, runs[side])
    panels[-1].set_xlabel("seconds since the start", color=INK, fontsize=9)
    add_legend(figure, panels, columns=2)
    set_heading(figure, title)
    return figure


def _panel(axes: Axes, side: Side, run: Mapping[str, Any]) -> None:
    steps, samples = run["steps"], run["samples"]
    key, label = KNOWN[side]
    start = samples[0]["seconds"]
    most = max(sample["connected"] for sample in samples)
    axes.set_ylim(-0.08 * most, 1.65 * most)
    before = [sample for sample in samples if sample["seconds"] < steps["started again"]]
    for number, part in enumerate((before, samples[len(before) :])):
        xs = [sample["seconds"] - start for sample in part]
        named = not number
        connected = [sample["connected"] for sample in part]
        axes.plot(xs, connected, color="#333333", linewidth=1.8, label="members with a socket" if named else None)
        look: Any = {"color": COLOURS[side], "linestyle": (0, (4, 2)), "marker": MARKERS[side], "fillstyle": "none"}
        known = [sample[key] for sample in part]
        axes.plot(xs, known, markersize=4.5, linewidth=1.4, label=label if named else None, **look)
    is_same = known[-1] == connected[-1]
    label_end(axes, f"{known[-1]} known", xs[-1], known[-1], shift=7 if is_same else 0)
    label_end(axes, f"{connected[-1]} with a socket", xs[-1], connected[-1], shift=-7 if is_same else 0)
    axes.axvspan(
        steps["killed"] - start,
        steps["started again"] - start,
        color=INK,
        alpha=0.25,
        linewidth=0,
        label="server is down",
    )
    # each label is lower than the one before, so that labels of quick steps do not overlap
    for text, height in (("one of two tabs closed", 1.53), ("opened again", 1.36), ("killed", 1.19)):
        axes.axvline(steps[text] - start, color=INK, linewidth=1, linestyle=(0, (1, 2)))
        named_at = (steps[text] - start, height * most)
        note = axes.annotate(text, named_at, (3, 0), textcoords="offset points", va="center", color=INK, fontsize=8)
        # over the lines of later steps
        note.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.8})
    axes.set_ylabel("members", color=INK, fontsize=9)
