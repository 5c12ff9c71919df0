"""Tests that a guess stands below the title of any figure."""

from typing import Any

import pytest
from lab.figures.charts import levels
from lab.figures.guess_line import write_guess
from lab.figures.panels import add_legend, new_panels, set_heading
from matplotlib.figure import Figure

TITLE = "What was found in this run, in a title that is long enough to need more than one line of the figure"
LONG = "Your guess: 40 %; measured: bad 0 %, good 100 % (a metric whose name is so long that the text is wrapped)"


def with_panels() -> Figure:
    figure, panels = new_panels(["bad", "good"], height=1.2)
    panels[0].plot([1, 2], label="sent")
    set_heading(figure, TITLE)
    add_legend(figure, panels, columns=1)
    return figure


def with_one_title() -> Figure:
    return levels({"bad": ([1, 2], [3, 4])}, title=TITLE, x_label="x", y_label="y")


FIGURES = pytest.mark.parametrize("make", [with_panels, with_one_title])


def boxes(figure: Figure) -> list[Any]:
    """Draw a figure; return where its title, guess and highest panel are."""
    figure.canvas.draw()
    (title,) = figure.texts[:1]
    (guess,) = figure.artists
    panels = [axes.get_tightbbox() for axes in figure.axes]
    return [title.get_window_extent(), guess.get_window_extent(), max(panels, key=lambda box: box.y1)]


def panel_height(figure: Figure) -> float:
    figure.canvas.draw()
    return float(figure.axes[0].get_window_extent().height)


@FIGURES
@pytest.mark.parametrize("line", ["Your guess: 40 %", LONG])
def test_a_guess_stands_between_title_and_panels(make: Any, line: str) -> None:
    figure = make()
    write_guess(figure, line)
    title, guess, panel = boxes(figure)
    assert panel.y1 <= guess.y0
    # the title ends with empty lines, and the guess stands on them
    assert title.y0 <= guess.y0 < guess.y1 < title.y1 - guess.height / 2
    assert 0 <= guess.x0 < guess.x1 <= figure.bbox.x1


@FIGURES
def test_a_guess_leaves_the_title_and_the_size_of_the_panels(make: Any) -> None:
    plain, guessed = make(), make()
    write_guess(guessed, "Your guess: 40 %")
    assert guessed.get_suptitle().split() == TITLE.split()
    assert panel_height(guessed) == pytest.approx(panel_height(plain), rel=0.1)
