"""Draws how far requests get through the checks of the server."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lab.figures.bars import COLOURS, INK
from lab.figures.panels import LEGEND, name_rows, set_heading
from lab.figures.stacked_panels import MARK_INK, stacked_panels

ROW_INCHES = 0.42
# the guards in the order of the gateway, with the code of each one's refusal
GUARDS: Mapping[str, str] = {
    "rate limit": "rate_limited",
    "known event": "unknown_event",
    "token": "token_expired",
    "role": "forbidden",
    "payload": "invalid",
}
HANDLER = "handler"
PASSED: Mapping[str, Any] = {"marker": "o", "markersize": 6, "color": COLOURS["good"], "linestyle": ""}
STOPPED: Mapping[str, Any] = {
    "marker": "X",
    "markersize": 11,
    "color": COLOURS["bad"],
    "markeredgecolor": MARK_INK,
    "linestyle": "",
}
UNSEEN: Mapping[str, Any] = {
    "marker": "D",
    "markersize": 7,
    "markerfacecolor": "none",
    "markeredgecolor": INK,
    "linestyle": "",
}
SERVED: Mapping[str, Any] = {"marker": "*", "markersize": 13, "color": COLOURS["good"], "linestyle": ""}


@dataclass(frozen=True)
class Passage:
    """One request: what was wrong with it, and how the server answered.

    `faults` are the names of the server's checks that have a reason to refuse the request. `code` is the code of the
    refusal, or None when the request was served.
    """

    request: str
    faults: Collection[str]
    code: str | None

    @property
    def stopped_by(self) -> str | None:
        """The check that refused the request, or None. Raises `KeyError` when no check has the error code `code`."""
        return None if self.code is None else {code: guard for guard, code in GUARDS.items()}[self.code]


def guard_path(passages: Sequence[Passage], *, title: str) -> Figure:
    """Draw one row per request, with the checks from left to right.

    A row ends at the check that refused the request, or at the handler that served it. An empty diamond marks a later
    check that also had a reason to refuse the request.
    """
    figure, (axes,) = stacked_panels([""], [ROW_INCHES * len(passages)], x_label="", extra_height=1.3)
    names = [*GUARDS, HANDLER]
    name_rows(axes, [passage.request for passage in passages])
    for row, passage in enumerate(passages):
        _draw_passage(axes, row, names, passage)
    axes.set_xticks(range(len(names)), names)
    axes.xaxis.tick_top()
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)
    axes.set_xlim(-0.35, len(names) - 0.2)
    signs = {
        "not refused here": PASSED,
        "refused here, with this code": STOPPED,
        "also wrong, but not looked at": UNSEEN,
        "served": SERVED,
    }
    handles = [Line2D([], [], label=label, **{**look, "markersize": 7}) for label, look in signs.items()]
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles), **LEGEND)
    set_heading(figure, title)
    return figure


def _draw_passage(axes: Axes, row: int, names: Sequence[str], passage: Passage) -> None:
    end = len(names) - 1 if passage.stopped_by is None else names.index(passage.stopped_by)
    axes.plot([-0.35, end], [row, row], color=MARK_INK, linewidth=1.6, zorder=2)
    axes.plot(range(end), [row] * end, zorder=3, **PASSED)
    axes.plot([end], [row], zorder=4, **(SERVED if passage.code is None else STOPPED))
    unseen = [names.index(guard) for guard in passage.faults if names.index(guard) > end]
    axes.plot(unseen, [row] * len(unseen), zorder=3, **UNSEEN)
    answer = "ok" if passage.code is None else passage.code
    note = axes.annotate(answer, (end, row), (0, -13), textcoords="offset points", ha="center", va="center", zorder=5)
    note.set(color=INK, fontsize=8)
