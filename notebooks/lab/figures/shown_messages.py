"""Draws how often a reader saw each message of a conversation."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lab.figures.bars import INK
from lab.figures.panels import add_legend, name_rows, plain, set_heading

WIDTH_INCHES = 7.4
ROW_INCHES = 0.42
# label, marker, colour and size, by how often a message is shown; the marks differ in form
LOST = ("lost", "x", "#D55E00", 7)
ONCE = ("shown once", ".", "#009E73", 6)
AGAIN = ("shown again", "D", "#0072B2", 6)
CUT = "the reader's connection is cut before this message"


def shown_messages(times_shown: Mapping[str, Sequence[int]], cuts: Sequence[int], *, title: str) -> Figure:
    """Draw how often each message of a conversation was shown.

    The same conversation was delivered with several methods, such as "at most once". The figure has one row per method.
    `times_shown` maps the name of a method to a list: how often the reader's client showed each message, in the order
    of writing. `cuts` are the numbers of the messages before which the reader's connection was cut. The first message
    has the number 1.
    """
    figure = Figure(figsize=(WIDTH_INCHES, 1.6 + ROW_INCHES * len(times_shown)), layout="constrained", facecolor="none")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    plain(axes)
    name_rows(axes, list(times_shown))
    for mark, least, most in ((LOST, 0, 0), (ONCE, 1, 1), (AGAIN, 2, None)):
        points = [
            (number, row)
            for row, shown in enumerate(times_shown.values())
            for number, count in enumerate(shown, start=1)
            if count >= least and (most is None or count <= most)
        ]
        _draw_marks(axes, mark, points)
    for place, number in enumerate(cuts):
        label = CUT if place == 0 else None
        axes.axvline(number - 0.5, color=INK, linestyle=(0, (3, 2)), linewidth=1, alpha=0.7, zorder=0, label=label)
    axes.set_xlabel("messages, first to last", color=INK, fontsize=9)
    add_legend(figure, [axes], columns=2)
    set_heading(figure, title)
    return figure


def _draw_marks(axes: Axes, mark: tuple[str, str, str, int], points: Sequence[tuple[int, int]]) -> None:
    label, marker, colour, size = mark
    xs, ys = [x for x, _ in points], [y for _, y in points]
    axes.plot(xs, ys, marker=marker, color=colour, markersize=size, fillstyle="none", linestyle="", label=label)
