"""Draws when a user's tabs were connected, and which messages they received."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lab.figures.bars import COLOURS, HATCHES, INK
from lab.figures.panels import LEGEND, set_heading
from lab.figures.stacked_panels import MARK_INK, stacked_panels
from lab.results.claims import Side

ROW_INCHES = 0.3
BAR_HEIGHT = 0.56
# a message that arrives this long after it was sent still belongs to that message
ARRIVAL_SECONDS = 0.5
RECEIVED: Mapping[str, Any] = {"marker": "o", "color": "white", "markeredgecolor": MARK_INK, "markersize": 6.5}
MISSED: Mapping[str, Any] = {"marker": "x", "color": MARK_INK, "markersize": 6.5, "markeredgewidth": 1.6}


@dataclass(frozen=True)
class UserTabs:
    """The browser tabs of one user during one run of scenario 07.

    Scenario 07 is an experiment in which each user has several tabs. `tabs` are the entries for this user in
    `details["users"]` of the run. `side` is the server, `bad` or `good`. `seconds` is the length of the run.
    """

    name: str
    side: Side
    tabs: Sequence[Mapping[str, Any]]
    seconds: float


def connected_spans(users: Sequence[UserTabs], *, title: str) -> Figure:
    """Draw one panel per user, with one row per tab.

    A bar is the time for which the tab was connected. A circle is a message that the tab received, a cross is a message
    that the tab missed.
    """
    heights = [ROW_INCHES * (len(user.tabs) + 0.6) for user in users]
    extra = 0.85 + 0.2 * len(users)
    names = [user.name for user in users]
    figure, panels = stacked_panels(names, heights, x_label="seconds since the first message", extra_height=extra)
    for axes, user in zip(panels, users, strict=True):
        _draw_user(axes, user)
    panels[-1].set_xlim(-0.12, max(user.seconds for user in users))
    _add_legend(figure, list(dict.fromkeys(user.side for user in users)))
    set_heading(figure, title)
    return figure


def _draw_user(axes: Axes, user: UserTabs) -> None:
    for row, tab in enumerate(user.tabs):
        spans = spans_of(tab, user.seconds)
        widths = [(start, end - start) for start, end in spans]
        axes.broken_barh(widths, (row - BAR_HEIGHT / 2, BAR_HEIGHT), **_look(user.side))
        axes.plot(tab["received"], [row] * len(tab["received"]), linestyle="", zorder=4, **RECEIVED)
        missed = [at for at in tab["sent"] if not any(at <= one < at + ARRIVAL_SECONDS for one in tab["received"])]
        axes.plot(missed, [row] * len(missed), linestyle="", zorder=4, **MISSED)
    for at in user.tabs[0]["sent"]:
        axes.axvline(at, color=INK, linestyle=":", linewidth=1.2, zorder=0)
    axes.set_yticks(range(len(user.tabs)), [f"tab {number}" for number in range(1, len(user.tabs) + 1)])
    axes.set_ylim(len(user.tabs) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _look(side: Side) -> dict[str, Any]:
    return {"facecolor": COLOURS[side], "hatch": HATCHES[side], "edgecolor": "white", "linewidth": 0.6}


def _add_legend(figure: Figure, sides: Sequence[Side]) -> None:
    signs: dict[str, Any] = {
        "connected": tuple(Patch(**_look(side)) for side in sides),
        "message sent to the user": Line2D([], [], linestyle=":", color=INK),
        "received": Line2D([], [], linestyle="", **RECEIVED),
        "missed": Line2D([], [], linestyle="", **MISSED),
    }
    look = {"ncols": len(signs), "handler_map": {tuple: HandlerTuple(ndivide=None, pad=0.2)}, **LEGEND}
    figure.legend(list(signs.values()), list(signs), loc="outside lower right", **look)


def spans_of(tab: Mapping[str, Any], seconds: float) -> list[tuple[float, float]]:
    """Return the periods during which a tab was connected.

    A period is a pair of start and end, in seconds since the first message of the experiment. A period starts at a
    connect and ends at the next disconnect, or at the end of the experiment. `tab` is one entry of `UserTabs.tabs`.
    `seconds` is the length of the experiment.
    """
    spans = []
    for start in tab["connects"]:
        end = min((at for at in tab["disconnects"] if at >= start), default=seconds)
        spans.append((start, min(end, seconds)))
    return [(start, end) for start, end in spans if end > start]
