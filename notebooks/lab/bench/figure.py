"""Draws the results of `lab bench` as a figure.

The figure is readable without colours. A bar shows a server's value as a multiple of the good server's value.
"""

import textwrap
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from lab.bench.report import relative, shown_unit
from lab.bench.run import BenchmarkResult, BenchResults
from lab.figures.bars import INK, new_figure
from lab.results.wording import number

COLOURS = {"python-socketio": "#D55E00", "node": "#0072B2"}
HATCHES = {"python-socketio": "////", "node": "...."}
BAR_HEIGHT = 0.36
TITLE_LETTERS = 100


def draw(bench: BenchResults) -> Figure:
    """Draws the results of `lab bench`, with one row per benchmark.

    The line at 1 is the good server, and each bar is another server. If a bar goes to the right of the line, its server
    is worse than the good server. If a bar goes to the left, its server is better.
    """
    peers = [peer.id for peer in bench.peers if peer.id in COLOURS]
    results = [result for result in bench.results if any(relative(result, peer) for peer in peers)]
    figure, axes = new_figure(7.6, 1.5 + 0.62 * len(results))
    axes.set_xscale("log")
    bar_ends = [1.0]
    for row, result in enumerate(results):
        for place, peer in enumerate(peers):
            multiple = relative(result, peer)
            if multiple is None:
                continue
            y = row + BAR_HEIGHT * (place - (len(peers) - 1) / 2)
            style: dict[str, Any] = {"facecolor": COLOURS[peer], "hatch": HATCHES[peer], "edgecolor": "white"}
            axes.barh(y, multiple - 1, left=1, height=BAR_HEIGHT * 0.9, linewidth=0, label=peer, **style)
            label = f" {number(result.value(peer))} "
            side = "left" if multiple > 1 else "right"
            axes.text(multiple, y, label, ha=side, va="center", color=INK, fontsize=8.5)
            bar_ends.append(multiple)
    axes.axvline(1, color="#009E73", linewidth=2.2)
    axes.set_yticks(range(len(results)), [_label(result) for result in results])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(results) - 0.4, -0.6)
    axes.set_xlim(min(bar_ends) / 1.8, max(bar_ends) * 1.6)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda multiple, _: f"{multiple:g} x"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("multiple of the good server's value (the line); right is worse", color=INK, fontsize=9)
    _add_legend_and_title(figure, axes, bench, columns=len(peers))
    return figure


def _add_legend_and_title(figure: Figure, axes: Any, bench: BenchResults, *, columns: int) -> None:
    font: dict[str, Any] = {"fontsize": 8.5, "labelcolor": INK, "handlelength": 1.6}
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower right", ncols=columns, frameon=False, **font)
    # across the whole figure, because the labels need a third of the width
    title = textwrap.fill(finding(bench), TITLE_LETTERS)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10, color=INK)


def _label(result: BenchmarkResult) -> str:
    return f"{result.benchmark.title}\ngood: {number(result.value('good'))} {shown_unit(result.benchmark.unit)}"


def finding(bench: BenchResults) -> str:
    """Returns one sentence that compares the servers in one benchmark.

    It uses the first benchmark that has a result of the good server. The figure has this sentence as its title.
    """
    result = next((result for result in bench.results if "good" in result.samples), None)
    if result is None:
        return "The good server was not measured"
    comparisons = [
        f"{peer.id} takes {number(multiple)} times what the good server takes"
        for peer in bench.peers
        if peer.id != "good" and (multiple := relative(result, peer.id)) is not None
    ]
    title = f"{result.benchmark.title[:1].upper()}{result.benchmark.title[1:]}"
    return f"{title}: {', '.join(comparisons) or 'the good server alone'}"
