"""Answers for one run of the bench: which loads there are, rounds that go from peer to peer, what is to be doubted."""

import os
import platform
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import Any, Literal

import psutil

from lab.bench import loads, node
from lab.bench.crowd import LoadError
from lab.bench.loads import Sample, Sizes
from lab.bench.peers import FLOOR, RAISED, Peer, Server, available_peers, running

VERSIONS_OF = ("aiohttp", "python-engineio", "python-socketio", "rooms-not-ids", "uvloop")
# above this share of a core it is the load generator that is measured
BUSY_SHARE = 0.85
# the range of the runs over their median
WIDE_SPREAD = 0.5
# programs beside the bench, in cores
CROWDED_LOAD = 0.5

Load = Callable[[Server, Sizes], Awaitable[Sample]]
ProgressCallback = Callable[[str], None]


@dataclass(frozen=True)
class Benchmark:
    """One load and its unit; `busy` says what a busy generator makes of its figures."""

    id: str
    title: str
    unit: str
    load: Load
    busy: str
    is_long: bool = False
    better: Literal["lower", "higher"] = "lower"


RATE = "its rate is a lower bound; the CPU of the server stands"
LATE = "its times are upper bounds"
BENCHMARKS = (
    Benchmark("fanout", "a message to a full room, in bursts", "us cpu per delivery", loads.fan_out, RATE),
    Benchmark("fanout-idle", "a lone message to a full room, p99", "ms", loads.fan_out_idle, LATE),
    Benchmark("ack", "a request and its ack", "us cpu per request", loads.ack, RATE),
    Benchmark("connect", "a connection, its token checked", "ms cpu per connection", loads.connect, RATE),
    Benchmark(
        "disconnect", "one of many that leave together", "times its cost in a small crowd", loads.disconnect, RATE, True
    ),
    Benchmark(
        "slow-reader", "memory for readers that stopped (1 in 20)", "MiB more in use", loads.slow_reader, LATE, True
    ),
)


@dataclass
class BenchmarkResult:
    """The samples of each peer, by its id, and what is to be doubted, a line each."""

    benchmark: Benchmark
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)

    def value(self, peer: str) -> float:
        """The median."""
        return statistics.median(sample.value for sample in self.samples[peer])

    def also(self, peer: str) -> dict[str, float]:
        """The medians of its other figures."""
        samples = self.samples[peer]
        return {name: statistics.median(sample.also[name] for sample in samples) for name in samples[0].also}


@dataclass
class BenchResults:
    """All results of one run."""

    results: list[BenchmarkResult]
    peers: list[Peer]
    absent: dict[str, str]
    environment: dict[str, Any]
    doubts: list[str]


async def measure(
    benchmarks: Sequence[Benchmark], sizes: Sizes, *, told: ProgressCallback = lambda _: None
) -> BenchResults:
    """Runs the loads on every peer that is here, in rounds; `told` hears what is running."""
    peers, absent = available_peers()
    environment, doubts = _environment(sizes, peers), _crowded()
    results = [BenchmarkResult(benchmark) for benchmark in benchmarks]
    began = time.monotonic()
    for number in range(max(sizes.rounds, sizes.rounds_when_long)):
        for result in results:
            if number < (sizes.rounds_when_long if result.benchmark.is_long else sizes.rounds):
                await _round(result, peers, sizes, number, told)
    for result in results:
        result.doubts += _doubts(result)
    environment["seconds"] = round(time.monotonic() - began, 1)
    return BenchResults(results, peers, absent, environment, doubts)


async def _round(
    result: BenchmarkResult, peers: Sequence[Peer], sizes: Sizes, number: int, told: ProgressCallback
) -> None:
    """Once on each peer; who begins changes, as a machine that warms up slows down."""
    order = [*peers[number % len(peers) :], *peers[: number % len(peers)]]
    if result.benchmark.load is loads.fan_out:
        order.append(FLOOR)
    for peer in order:
        told(f"{result.benchmark.id} {peer.id}, round {number + 1}")
        load = loads.floor if peer is FLOOR else result.benchmark.load
        try:
            async with running(peer) as server:
                sample = await load(server, sizes)
        except LoadError as error:
            result.doubts.append(f"{result.benchmark.id} {peer.id}: a run failed: {error}")
            continue
        result.samples.setdefault(peer.id, []).append(sample)


def _doubts(result: BenchmarkResult) -> list[str]:
    lines = []
    for peer, samples in result.samples.items():
        name = f"{result.benchmark.id} {peer}"
        busy = max(sample.generator_share for sample in samples)
        if busy > BUSY_SHARE:
            lines.append(f"{name}: the load generator was busy {busy:.0%} of the time; {result.benchmark.busy}")
        values = [sample.value for sample in samples]
        middle = statistics.median(values)
        if middle and (max(values) - min(values)) / abs(middle) > WIDE_SPREAD:
            lines.append(f"{name}: the runs differ by {(max(values) - min(values)) / abs(middle):.0%} of their median")
    return lines


def _crowded() -> list[str]:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load < CROWDED_LOAD:
        return []
    return [f"this machine was not idle at the start: load {load:.1f} on {psutil.cpu_count()} CPUs"]


def _environment(sizes: Sizes, peers: Sequence[Peer]) -> dict[str, Any]:
    versions: Mapping[str, str | None] = {
        **{name: metadata.version(name) for name in VERSIONS_OF if any(metadata.distributions(name=name))},
        "socket.io (npm)": node.version(),
    }
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": psutil.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if sys.platform != "win32" else None,
        "versions": {name: version for name, version in versions.items() if version is not None},
        "raised_limits": dict(RAISED),
        "peers": {peer.id: peer.told for peer in (*peers, FLOOR)},
        "sizes": asdict(sizes),
    }
