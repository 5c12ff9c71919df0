"""Answers for the bench as a picture: each peer as a multiple of the good server, readable in grey."""

import textwrap
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from lab.bench.report import relative
from lab.bench.run import BenchmarkResult, BenchResults
from lab.figures.bars import INK, new_figure
from lab.results.wording import number

COLOURS = {"python-socketio": "#D55E00", "node": "#0072B2"}
HATCHES = {"python-socketio": "////", "node": "...."}
BAR = 0.36
TITLE_LETTERS = 100


def draw(bench: BenchResults) -> Figure:
    """A row a benchmark; the good server is the line at 1, what is worse goes to the right and what is better left."""
    peers = [peer.id for peer in bench.peers if peer.id in COLOURS]
    results = [result for result in bench.results if any(relative(result, peer) for peer in peers)]
    figure, axes = new_figure(7.6, 1.5 + 0.62 * len(results))
    axes.set_xscale("log")
    ends = [1.0]
    for row, result in enumerate(results):
        for place, peer in enumerate(peers):
            times = relative(result, peer)
            if times is None:
                continue
            at = row + BAR * (place - (len(peers) - 1) / 2)
            look: dict[str, Any] = {"facecolor": COLOURS[peer], "hatch": HATCHES[peer], "edgecolor": "white"}
            axes.barh(at, times - 1, left=1, height=BAR * 0.9, linewidth=0, label=peer, **look)
            told = f" {number(result.value(peer))} "
            axes.text(times, at, told, ha="left" if times > 1 else "right", va="center", color=INK, fontsize=8.5)
            ends.append(times)
    axes.axvline(1, color="#009E73", linewidth=2.2)
    axes.set_yticks(range(len(results)), [_label(result) for result in results])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(results) - 0.4, -0.6)
    axes.set_xlim(min(ends) / 1.8, max(ends) * 1.6)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda times, _: f"{times:g} x"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("times the good server (the line); further right is worse", color=INK, fontsize=9)
    words: dict[str, Any] = {"fontsize": 8.5, "labelcolor": INK, "handlelength": 1.6}
    named = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    figure.legend(named.values(), named.keys(), loc="outside lower right", ncols=len(peers), frameon=False, **words)
    # over the whole width: the labels take a third of it
    title = textwrap.fill(finding(bench), TITLE_LETTERS)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10, color=INK)
    return figure


def _label(result: BenchmarkResult) -> str:
    return f"{result.benchmark.title}\ngood: {number(result.value('good'))} {result.benchmark.unit}"


def finding(bench: BenchResults) -> str:
    """What was found about the first benchmark, as a sentence with the values in it."""
    result = next((result for result in bench.results if "good" in result.samples), None)
    if result is None:
        return "The good server was not measured"
    told = [
        f"{peer.id} takes {number(times)} times what the good server takes"
        for peer in bench.peers
        if peer.id != "good" and (times := relative(result, peer.id)) is not None
    ]
    title = f"{result.benchmark.title[:1].upper()}{result.benchmark.title[1:]}"
    return f"{title}: {', '.join(told) or 'the good server alone'}"
