"""Reports a reconnect storm as a table, sentences, a figure and JSON.

In a reconnect storm, all clients reconnect after the server restarts.
"""

from collections.abc import Callable, Sequence
from typing import Any

import orjson
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lab.figures.bars import COLOURS, INK
from lab.figures.panels import plain, set_heading
from lab.results.statistics import percentile
from lab.results.wording import number
from lab.scaling.storm_results import Condition, Storm, Storms, wait

SCHEMA = 1
SLOT_SECONDS = 0.5
# the words of a condition, for a title
PHRASES = {
    "neither": "without jitter and admission",
    "jitter": "with jitter",
    "admission": "with admission",
    "both": "with both",
}
# two medians that differ by less are called equal
EQUAL = 1.2
CLIENTS = (
    "The clients are light ones of the lab with the delays of a stock JavaScript client (1 to 5 s, jitter 0.5): real"
    " ones would take the server's CPU on this machine."
)


def _longest_ack(run: Storm) -> float:
    return max((seconds for _, seconds in run.acks), default=float("nan"))


def _ack(q: float) -> Callable[[Storm], float]:
    return lambda run: percentile([seconds for _, seconds in run.acks], q) if run.acks else float("nan")


def _login(q: float) -> Callable[[Storm], float]:
    return lambda run: percentile(run.logins, q) if run.logins else float("nan")


def _peak(run: Storm) -> float:
    return max((rate for _, rate in run.accepted_per_second(SLOT_SECONDS)), default=0.0)


# name, unit, value of one storm
MEASURES: tuple[tuple[str, str, str, Callable[[Storm], float]], ...] = (
    ("wait_median", "wait until back, median", "s", wait(50)),
    ("wait_95", "wait until back, 95 %", "s", wait(95)),
    ("wait_longest", "wait until back, longest", "s", wait(100)),
    ("not_back", "clients not back in time", "", lambda run: float(run.missing)),
    ("server_away", "server away", "s", lambda run: run.server_back),
    ("attempts", "attempts", "", lambda run: float(len(run.attempts))),
    ("unreachable", "… while the server was away", "", lambda run: float(run.count("unreachable"))),
    ("refused", "… refused by admission (503)", "", lambda run: float(run.count("refused"))),
    ("timed_out", "… timed out", "", lambda run: float(run.count("timeout"))),
    ("accepted_per_second", "connects accepted per second, peak", "", _peak),
    ("login_median", "an accepted login takes, median", "s", _login(50)),
    ("login_longest", "an accepted login takes, longest", "s", _login(100)),
    ("ack_median", "an unrelated ack waits, median", "s", _ack(50)),
    ("ack_longest", "an unrelated ack waits, longest", "s", _longest_ack),
    ("listen_overflows", "connects dropped, listen queue full", "", lambda run: run.listen_overflows),
    ("stall", "longest stall of the event loop", "s", lambda run: run.stall),
    ("cpu_seconds", "CPU of the server, in total", "s", lambda run: run.cpu_seconds),
    ("cpu_peak_share", "CPU of the server, peak (1 is a core)", "", lambda run: run.cpu_peak_share),
)
JUDGED = ("accepted_per_second", "ack_longest", "login_longest", "wait_95", "wait_longest")


def rows(found: Storms) -> list[list[str]]:
    """Returns the table: a row per measured value, a column per condition.

    A condition is with or without jitter (random reconnect delays), and with or without admission control (a limit of
    connects per second). The first row has the names of the conditions. A value is the median of all rounds.
    """
    head = ["", *(condition.name for condition in found.conditions)]
    return [head, *(_row(found, name, unit, value) for _, name, unit, value in MEASURES)]


def _row(found: Storms, name: str, unit: str, value: Callable[[Storm], float]) -> list[str]:
    label = f"{name} ({unit})" if unit else name
    return [label, *(number(round(found.median(condition, value), 3)) for condition in found.conditions)]


def statements(found: Storms) -> list[str]:
    """Returns the results in words, one sentence for each important value.

    A condition says whether the clients used jitter and the server used admission control. Each sentence compares the
    other conditions with the first condition. If the server was away much longer in one storm than in another, a last
    sentence warns that the clients' times until they reconnected are not comparable.
    """
    chosen = {key: (name, unit, value) for key, name, unit, value in MEASURES}
    return [*(_statement(found, *chosen[key]) for key in JUDGED), *_doubts(found)]


def _doubts(found: Storms) -> list[str]:
    """Returns a list with a warning if the storms are not comparable.

    Reconnect storms are not comparable if the server was away much longer in one storm than in another. If the storms
    are comparable, the list is empty.
    """
    away = [run.server_back for run in found.runs]
    if max(away) <= EQUAL * min(away):
        return []
    return [
        f"The server was away for {number(round(min(away), 2))} to {number(round(max(away), 2))} s, because other"
        f" programs used this machine: compare the waits only from a run on an idle machine."
    ]


def _statement(found: Storms, name: str, unit: str, value: Callable[[Storm], float]) -> str:
    first, *others = ((condition.word, found.median(condition, value)) for condition in found.conditions)
    space = f" {unit}" if unit else ""
    effects = [f"{word} {number(round(after, 3))}{space} ({effect(first[1], after)})" for word, after in others]
    return f"{name[:1].upper()}{name[1:]}: {first[0]} {number(round(first[1], 3))}{space}; {'; '.join(effects)}."


def effect(before: float, after: float) -> str:
    """Returns in words how `after` differs from `before`.

    Examples are "3 times as much", "2 times less" and "about equal". If a value is NaN, the result is "not measured".
    """
    if before != before or after != after:
        return "not measured"
    if max(before, after) <= EQUAL * min(before, after):
        return "about equal"
    if before <= 0 or after <= 0:
        return "higher" if after > before else "lower"
    return f"{number(after / before)} times as much" if after > before else f"{number(before / after)} times less"


def draw(found: Storms) -> Figure:
    """Draws connects per second against time, one panel per condition.

    A condition is with or without jitter (random reconnect delays), and with or without admission control (a limit of
    connects per second). Bars are the connects per second that the server accepted, and the line is the connects per
    second that it refused. Both are counted in slots of half a second. Each panel shows the reconnect storm of the
    first round, and all panels have the same axes. The time without a server is shaded.
    """
    conditions = found.conditions
    lines = -(-len(conditions) // 2)
    drawing = Figure(figsize=(7.4, 0.6 + 2 * lines), layout="constrained", facecolor="none")
    FigureCanvasAgg(drawing)
    grid: Any = drawing.subplots(lines, 2, sharex=True, sharey=True, squeeze=False)
    for axes, condition in zip(grid.flat, conditions, strict=True):
        _draw_condition(axes, found.of(condition)[0], condition)
    for axes in grid[-1]:
        axes.set_xlabel("seconds since the cut", color=INK, fontsize=9)
    for axes in grid[:, 0]:
        axes.set_ylabel("connects per second", color=INK, fontsize=9)
    handles, labels = grid[-1, -1].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower left", ncols=3, frameon=False, fontsize=8.5, labelcolor=INK)
    set_heading(drawing, _title(found))
    return drawing


def _draw_condition(axes: Axes, run: Storm, condition: Condition) -> None:
    plain(axes, condition.name)
    axes.axvspan(0, run.server_back, color=INK, alpha=0.18, linewidth=0, label="no server")
    looks: dict[str, Any] = {"width": SLOT_SECONDS, "align": "edge", "linewidth": 0.4, "edgecolor": "white"}
    accepted, refused = (run.per_second(outcome, SLOT_SECONDS) for outcome in ("accepted", "refused"))
    axes.bar(
        [at for at, _ in accepted], [rate for _, rate in accepted], color=COLOURS["good"], label="accepted", **looks
    )
    xs, ys = [at + SLOT_SECONDS / 2 for at, _ in refused], [rate for _, rate in refused]
    axes.plot(
        xs, ys, color=COLOURS["bad"], marker="s", markersize=3, linewidth=1.2, linestyle="--", label="refused (503)"
    )
    note = f"95 % back after {number(round(wait(95)(run), 2))} s\nlongest ack {number(round(_longest_ack(run), 3))} s"
    axes.text(0.98, 0.96, note, transform=axes.transAxes, ha="right", va="top", fontsize=8.5, color=INK)


def _title(found: Storms) -> str:
    first, *others = ((condition, found.median(condition, _peak)) for condition in found.conditions)
    rates = ", ".join(f"{number(rate)} {PHRASES[condition.word]}" for condition, rate in others)
    return (
        f"{found.clients:,} clients come back: at most {number(first[1])} connects per second are accepted"
        f" {PHRASES[first[0].word]}, {rates}"
    )


def as_json(found: Storms, machine: str) -> bytes:
    """Returns the measured values of all reconnect storms as JSON.

    `machine` describes the computer. A value that was not measured is null.
    """
    document = {
        "schema": SCHEMA,
        "machine": machine,
        "clients": found.clients,
        "admission_connects_per_second": found.connects_per_second,
        "conditions": [_condition_as_data(condition, found.of(condition)) for condition in found.conditions],
    }
    # orjson writes a NaN as null
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _condition_as_data(condition: Condition, runs: Sequence[Storm]) -> dict[str, Any]:
    return {
        "jitter": condition.has_jitter,
        "admission": condition.has_admission,
        "runs": [{key: value(run) for key, _, _, value in MEASURES} for run in runs],
        "accepted_per_second": [run.accepted_per_second(SLOT_SECONDS) for run in runs],
    }
