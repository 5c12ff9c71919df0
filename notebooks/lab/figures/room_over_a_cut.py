"""Draws the sockets of a room before and after a connection cut."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from lab.figures.bars import INK
from lab.figures.panels import plain, set_heading

PALE = "#E8F3EF"
ID_LETTERS = 8


def room_over_a_cut(
    room: str, before: Sequence[str], after: Sequence[str], tabs: Mapping[str, Sequence[str]], *, title: str
) -> Figure:
    """Draw a room's sockets before and after a connection cut.

    `before` and `after` are the socket ids that the server had in the room. `tabs` maps each tab to all its socket ids,
    from the first to the current id.
    """
    figure = Figure(figsize=(7.4, 2.5), layout="constrained", facecolor="none")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2)
    for axes, name, occupants in zip(panels, ("before the cut", "after the cut"), (before, after), strict=True):
        plain(axes, name)
        axes.set_axis_off()
        _panel(axes, room, occupants, tabs, is_after=name == "after the cut")
    set_heading(figure, title)
    return figure


def _panel(
    axes: Axes, room: str, occupants: Sequence[str], tabs: Mapping[str, Sequence[str]], *, is_after: bool
) -> None:
    gone = [(tab, sid) for tab, ids in tabs.items() for sid in ids[:-1] if is_after and sid not in occupants]
    axes.set(xlim=(0, 10), ylim=(len(tabs) + 0.95, -0.8))
    _box(axes, 0.1, -0.6, 5.2, len(tabs) + 0.45, PALE)
    axes.text(2.7, -0.3, room, ha="center", va="center", color=INK, fontsize=9.5, weight="bold")
    for row, (tab, ids) in enumerate(tabs.items()):
        _box(axes, 7.1, row + 0.1, 2.8, 0.6, "white")
        axes.text(8.5, row + 0.4, tab, ha="center", va="center", color=INK, fontsize=9)
        for sid in (sid for sid in ids if sid in occupants):
            _box(axes, 0.6, row + 0.1, 4.2, 0.6, "white")
            axes.text(2.7, row + 0.4, f"{sid[:ID_LETTERS]}…", ha="center", va="center", color=INK, fontsize=9)
            arrow = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.3}
            axes.annotate("", (7.1, row + 0.4), (4.8, row + 0.4), arrowprops=arrow)
    for number, (tab, sid) in enumerate(gone):
        text = f"{sid[:ID_LETTERS]}… (an earlier id of the {tab}) is no longer in it"
        axes.text(0.1, len(tabs) + 0.35 + 0.4 * number, text, va="center", color=INK, fontsize=8.5, style="italic")


def _box(axes: Axes, x: float, y: float, width: float, height: float, colour: str) -> None:
    style = "round,pad=0,rounding_size=0.12"
    axes.add_patch(FancyBboxPatch((x, y), width, height, style, facecolor=colour, edgecolor=INK))
