"""Draws how long chatting users waited while a server made reports.

A report is the result of heavy work that another user requests.
"""

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
from lab.figures.stacked_panels import stacked_panels
from lab.results.claims import Side

LANE_INCHES = 0.24
WAITS_INCHES = 1.25
BLOCK_HEIGHT = 0.72
DOTS: Mapping[Side, Mapping[str, Any]] = {
    "bad": {"marker": "s", "markersize": 3.6, "color": COLOURS["bad"]},
    "good": {"marker": "o", "markersize": 3.6, "color": COLOURS["good"]},
}
Lane = list[Mapping[str, float]]


@dataclass(frozen=True)
class ReportRun:
    """What an experiment, scenario 09, measured on one server.

    In scenario 09 some users request reports (results of heavy work), while other users only chat. `reports` has one
    dict per report: its CPU time `cpu`, and the time `ready` at which the server sent it. `answers` has one dict per
    chat message: `due` is the time at which the message had to be sent, and `took` is the time from `due` to the ack.
    All times are in seconds. `ready` and `due` count from the start of the measurement.
    """

    side: Side
    reports: Sequence[Mapping[str, float]]
    answers: Sequence[Mapping[str, float]]


def report_waits(runs: Sequence[ReportRun], *, title: str) -> Figure:
    """Draw each server's reports, and how long chatting users waited meanwhile.

    A report is the result of heavy work. Each report is a block, which ends when the server sent the report and is as
    long as the CPU time of the report. Reports that were made at the same time are in different lanes (rows). A dot
    below them is the time that one chat message waited for its ack.
    """
    lanes = [lanes_of(run.reports) for run in runs]
    heights = [height for rows in lanes for height in (LANE_INCHES * max(1, len(rows)) + 0.1, WAITS_INCHES)]
    names = [name for run in runs for name in (f"{run.side} server", "")]
    figure, panels = stacked_panels(
        names, heights, x_label="seconds since the reports were asked for", extra_height=0.75 + 0.3 * len(runs)
    )
    most = max((1000 * answer["took"] for run in runs for answer in run.answers), default=1.0)
    for run, rows, blocks, waits in zip(runs, lanes, panels[::2], panels[1::2], strict=True):
        _draw_blocks(blocks, run.side, rows)
        _draw_waits(waits, run, most)
    ends = [one["due"] for run in runs for one in run.answers] + [one["ready"] for run in runs for one in run.reports]
    panels[-1].set_xlim(0, 1.02 * max(ends, default=1.0))
    _add_legend(figure, [run.side for run in runs])
    set_heading(figure, title)
    return figure


def lanes_of(reports: Sequence[Mapping[str, float]]) -> list[Lane]:
    """Return the reports, arranged in lanes.

    A lane is a row of the figure. Reports in the same lane overlap in time by at most 10 ms. Each dict has the CPU time
    `cpu` of a report, and the time `ready` at which the server sent it, in seconds.
    """
    lanes: list[Lane] = []
    # a report may seem to begin just before the end of another: both times have an uncertainty of some milliseconds
    slack_seconds = 0.01
    for report in sorted(reports, key=lambda one: one["ready"]):
        began = report["ready"] - report["cpu"]
        lane = next((lane for lane in lanes if lane[-1]["ready"] <= began + slack_seconds), None)
        if lane is None:
            lanes.append([report])
        else:
            lane.append(report)
    return lanes


def _draw_blocks(axes: Axes, side: Side, lanes: Sequence[Lane]) -> None:
    for row, lane in enumerate(lanes):
        spans = [(report["ready"] - report["cpu"], report["cpu"]) for report in lane]
        axes.broken_barh(spans, (row - BLOCK_HEIGHT / 2, BLOCK_HEIGHT), **_block_look(side))
    axes.set_ylim(max(1, len(lanes)) - 0.45, -0.55)
    axes.set_yticks([(len(lanes) - 1) / 2], ["reports"])
    axes.tick_params(axis="both", length=0, labelbottom=False)
    axes.spines[["left", "bottom"]].set_visible(False)


def _block_look(side: Side) -> dict[str, Any]:
    return {"facecolor": COLOURS[side], "hatch": HATCHES[side], "edgecolor": "white", "linewidth": 1.5}


def _draw_waits(axes: Axes, run: ReportRun, most: float) -> None:
    dues, waits = [one["due"] for one in run.answers], [1000 * one["took"] for one in run.answers]
    axes.plot(dues, waits, linestyle="", clip_on=False, **DOTS[run.side])
    axes.set_ylim(0, 1.08 * most)
    axes.set_ylabel("wait (ms)", color=INK, fontsize=8.5)
    axes.grid(axis="y", color=INK, alpha=0.25, linewidth=0.6)


def _add_legend(figure: Figure, sides: Sequence[Side]) -> None:
    signs: dict[str, Any] = {
        "one report, as long as its CPU time": tuple(Patch(**_block_look(side)) for side in sides),
        "one answer to a bystander": tuple(Line2D([], [], linestyle="", **DOTS[side]) for side in sides),
    }
    look = {"ncols": len(signs), "handler_map": {tuple: HandlerTuple(ndivide=None, pad=0.3)}, **LEGEND}
    figure.legend(list(signs.values()), list(signs), loc="outside lower right", **look)
