"""Writes a reader's guess into a figure, below the title.

The guess is the value that the reader expected before the measurement.
"""

import textwrap
from typing import Any

from matplotlib.figure import Figure
from matplotlib.text import Annotation

from lab.figures.panels import LETTERS_PER_INCH, set_heading

GUESS_COLOUR = "#0072B2"
LINE_INCHES = 0.19


def write_guess(figure: Figure, line: str) -> None:
    """Write a line of text below the title of a figure.

    The figure grows by the height of the text. If the figure has no title, the title of its first axes becomes the
    title of the figure.
    """
    title = " ".join((figure.get_suptitle() or _taken_from_axes(figure)).split())
    text = textwrap.fill(line, int(LETTERS_PER_INCH * figure.get_figwidth()))
    lines = text.count("\n") + 1
    heading = set_heading(figure, title)
    # empty lines below the title keep the place, so that the layout moves the panels down
    heading.set_text(heading.get_text() + "\n" * lines)
    figure.set_figheight(figure.get_figheight() + lines * LINE_INCHES)
    style: dict[str, Any] = {"fontsize": 9.5, "color": GUESS_COLOUR, "weight": "bold"}
    figure.add_artist(Annotation(text, (0, 0), xycoords=heading, va="bottom", **style))


def _taken_from_axes(figure: Figure) -> str:
    title = figure.axes[0].get_title(loc="left")
    figure.axes[0].set_title("", loc="left")
    return title
