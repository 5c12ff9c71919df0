"""Draws who asked to join which room, and which messages arrived."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from lab.figures.bars import COLOURS, HATCHES, INK
from lab.figures.panels import LEGEND, plain, set_heading
from lab.figures.stacked_panels import MARK_INK
from lab.results.claims import Side

WIDTH_INCHES = 7.2
ROW_INCHES = 0.36
# light enough for dark text on it
LEAKED: Mapping[str, Any] = {
    "facecolor": "#F7C9A8",
    "hatch": HATCHES["bad"],
    "edgecolor": COLOURS["bad"],
    "linewidth": 0.0,
}
MEANT: Mapping[str, Any] = {"facecolor": "#CDE8DF", "linewidth": 0.0}
FRAME: Mapping[str, Any] = {"fill": False, "edgecolor": MARK_INK, "linewidth": 1.6}
# the text of a cell whose person wrote the messages of the room
WROTE = "wrote"


@dataclass(frozen=True)
class Grid:
    """What one server did for each person and room.

    `granted` and `reads` have one row per person and one column per room. `granted` says whether the person's request
    to join the room was granted. `reads` is how many messages of the room the person then received.
    """

    side: Side
    granted: Sequence[Sequence[bool]]
    reads: Sequence[Sequence[int]]


def room_grid(
    grids: Sequence[Grid],
    *,
    people: Sequence[str],
    rooms: Sequence[str],
    is_meant: Sequence[Sequence[bool]],
    writers: Sequence[Sequence[bool]],
    title: str,
) -> Figure:
    """Draw who received the messages of which room, one grid per server.

    The rows are people and the columns are chat rooms. A cell has a frame when `is_meant` says that the room's messages
    are meant for the person. A cell is filled when the person received messages of the room. A filled cell is also
    hatched when the messages were not meant for the person. `writers` says whether the person wrote messages in the
    room; such a cell has the text `wrote`.
    """
    figure = Figure(figsize=(WIDTH_INCHES, 1.5 + ROW_INCHES * len(people)), layout="constrained", facecolor="none")
    FigureCanvasAgg(figure)
    panels: Any = figure.subplots(1, len(grids), sharey=True, squeeze=False)
    for axes, grid in zip(panels[0], grids, strict=True):
        for row, person_reads in enumerate(grid.reads):
            for column, count in enumerate(person_reads):
                answer = "join: ok" if grid.granted[row][column] else "join: no"
                got = WROTE if writers[row][column] else f"read {count}"
                _draw_cell(axes, row, column, f"{answer}\n{got}", count, is_meant[row][column])
        plain(axes, f"{grid.side} server")
        _label(axes, people, rooms)
    handles = [
        Patch(label="read, not meant for this person", **LEAKED),
        Patch(label="read, and meant for this person", **MEANT),
        Patch(label="belongs to this conversation", **FRAME),
    ]
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), **LEGEND)
    set_heading(figure, title)
    return figure


def _draw_cell(axes: Axes, row: int, column: int, text: str, count: int, is_meant: bool) -> None:
    if count:
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **(MEANT if is_meant else LEAKED)))
    if is_meant:
        axes.add_patch(Rectangle((column - 0.46, row - 0.44), 0.92, 0.88, zorder=3, **FRAME))
    # white behind the letters keeps them readable on hatches
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}
    axes.text(column, row, text, ha="center", va="center", fontsize=7, color=MARK_INK, bbox=behind, zorder=4)


def _label(axes: Axes, people: Sequence[str], rooms: Sequence[str]) -> None:
    axes.set_xticks(range(len(rooms)), rooms)
    axes.set_yticks(range(len(people)), people)
    axes.set(xlim=(-0.5, len(rooms) - 0.5), ylim=(len(people) - 0.5, -0.5))
    axes.set_xticks([edge - 0.5 for edge in range(len(rooms) + 1)], minor=True)
    axes.set_yticks([edge - 0.5 for edge in range(len(people) + 1)], minor=True)
    axes.grid(which="minor", color=INK, linewidth=0.5, alpha=0.5)
    axes.tick_params(colors=INK, labelsize=7.5, length=0)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set(visible=True, color=INK)
