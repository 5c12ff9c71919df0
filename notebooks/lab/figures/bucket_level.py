"""Draws the level of a token bucket during bursts and floods."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.figures.bars import COLOURS, INK
from lab.figures.panels import add_legend, set_heading
from lab.figures.stacked_panels import MARK_INK, stacked_panels

PANEL_INCHES = 1.35
# an honest burst and a flood differ in marker and line as well as in colour
LOOKS: Mapping[str, Mapping[str, Any]] = {
    "burst": {"color": COLOURS["good"], "linestyle": "-"},
    "flood": {"color": COLOURS["bad"], "linestyle": (0, (4, 2))},
}
TAKEN: Mapping[str, Any] = {"marker": "o", "markersize": 4.2, "markerfacecolor": "white", "linestyle": ""}
REFUSED: Mapping[str, Any] = {
    "marker": "x",
    "markersize": 5,
    "color": MARK_INK,
    "linestyle": "",
    "markeredgewidth": 1.1,
}


def bucket_level(users: Mapping[str, Mapping[str, Any]], names: Mapping[str, str], *, title: str) -> Figure:
    """Draw one panel per user: the tokens left after each request.

    `users` is `details["levels"]` of a run of scenario 10, an experiment with an abusive client. The keys of `users`
    are `burst` (a user who sends a legitimate burst) and `flood` (a user who floods the server). `names` maps these
    keys to the names of the panels. A circle is a request that took a token. A cross is a request that was refused
    because there was no token.
    """
    heights = [PANEL_INCHES] * len(users)
    x_label = "seconds since the user's first request"
    figure, panels = stacked_panels([names[user] for user in users], heights, x_label=x_label, extra_height=1.25)
    most = max((point["level"] for user in users.values() for point in user["points"]), default=1.0)
    for axes, (user, seen) in zip(panels, users.items(), strict=True):
        _draw_user(axes, LOOKS[user], seen["points"])
        axes.set_ylim(-0.08 * most, 1.08 * most)
        axes.set_ylabel("tokens left", color=INK, fontsize=9)
        axes.grid(axis="y", color=INK, alpha=0.25, linewidth=0.6)
    panels[-1].set_xlim(left=-0.05)
    add_legend(figure, panels, columns=3)
    set_heading(figure, title)
    return figure


def _draw_user(axes: Axes, look: Mapping[str, Any], points: Sequence[Mapping[str, Any]]) -> None:
    ats, levels = [point["at"] for point in points], [point["level"] for point in points]
    axes.plot(ats, levels, linewidth=1.3, zorder=2, **look)
    axes.fill_between(ats, levels, color=look["color"], alpha=0.15, linewidth=0)
    taken = [(point["at"], point["level"]) for point in points if point["taken"]]
    refused = [(point["at"], point["level"]) for point in points if not point["taken"]]
    label = "request that took a token"
    axes.plot(*_columns(taken), markeredgecolor=look["color"], zorder=3, label=label, **TAKEN)
    axes.plot(*_columns(refused), zorder=4, label="request that found none and was refused", **REFUSED)


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [at for at, _ in points], [level for _, level in points]
