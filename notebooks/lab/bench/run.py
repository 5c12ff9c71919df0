"""Runs the benchmarks of `lab bench` in rounds, and collects doubts.

A doubt is a reason not to trust a measured value.
"""

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
from lab.bench.idle_clients import among, idle, latency
from lab.bench.loads import Sample
from lab.bench.peers import FLOOR, RAISED_LIMITS, Peer, Server, available_peers, running
from lab.bench.sizes import Sizes

VERSIONS_OF = ("aiohttp", "python-engineio", "python-socketio", "rooms-not-ids", "uvloop")
# above this share of a core the load generator limits the result
MAX_GENERATOR_SHARE = 0.85
# the range of the runs, divided by their median
MAX_SPREAD = 0.5
# the load average of other programs, in cores
MAX_OTHER_LOAD = 0.5

# more clients take too long to connect for a quick run
MAX_QUICK_CONNECTIONS = 2000

Load = Callable[[Server, Sizes], Awaitable[Sample]]
ProgressCallback = Callable[[str], None]


@dataclass(frozen=True)
class Benchmark:
    """One benchmark of `lab bench`: its load (client traffic) and its unit.

    `busy_remark` tells the reader what the values mean when the load generator was too busy. A benchmark with `is_long`
    has `Sizes.rounds_when_long` rounds. `better` says whether lower or higher values are better. `connections` is the
    fixed number of idle clients, or 0 for a load without idle clients.
    """

    id: str
    title: str
    unit: str
    load: Load
    busy_remark: str
    is_long: bool = False
    better: Literal["lower", "higher"] = "lower"
    connections: int = 0

    @property
    def is_huge(self) -> bool:
        """Whether the load takes minutes.

        `lab bench --quick` leaves such benchmarks out.
        """
        return self.connections > MAX_QUICK_CONNECTIONS


RATE_REMARK = "its rate is a lower bound; the CPU of the server is still valid"
TIME_REMARK = "its times are upper bounds"
BENCHMARKS = (
    Benchmark("fanout", "a message to a full room, in bursts", "us cpu per delivery", loads.fan_out, RATE_REMARK),
    Benchmark("fanout-idle", "a single message to a full room, p99", "ms", loads.fan_out_idle, TIME_REMARK),
    Benchmark("ack", "a request and its ack", "us cpu per request", loads.ack, RATE_REMARK),
    Benchmark("connect", "a connection with a token check", "ms cpu per connection", loads.connect, RATE_REMARK),
    Benchmark(
        "disconnect",
        "a disconnect when all leave at once",
        "times its cost in a small crowd",
        loads.disconnect,
        RATE_REMARK,
        is_long=True,
    ),
    Benchmark(
        "slow-reader",
        "memory for slow consumers (1 in 20)",
        "MiB more in use",
        loads.slow_reader,
        TIME_REMARK,
        is_long=True,
    ),
    Benchmark(
        "latency_1000",
        "a lone message among 1,000 idle clients, p99",
        "ms",
        among(latency, 1000),
        TIME_REMARK,
        connections=1000,
    ),
    Benchmark(
        "latency_10000",
        "a lone message among 10,000 idle clients, p99",
        "ms",
        among(latency, 10_000),
        TIME_REMARK,
        connections=10_000,
    ),
    Benchmark(
        "idle_10000",
        "an idle server with 10,000 clients",
        "% of a core",
        among(idle, 10_000),
        RATE_REMARK,
        is_long=True,
        connections=10_000,
    ),
)


@dataclass
class BenchmarkResult:
    """The results of one benchmark on all servers, with its doubts.

    `samples` maps the id of a server to one sample per run. Each of `doubts` is one line that says why a value may be
    wrong.
    """

    benchmark: Benchmark
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)

    def value(self, peer: str) -> float:
        """Returns the median of a server's values in all runs.

        `peer` is the id of the server.
        """
        return statistics.median(sample.value for sample in self.samples[peer])

    def other_values(self, peer: str) -> dict[str, float]:
        """Returns the median of each secondary value of a server, by name.

        `peer` is the id of the server.
        """
        samples = self.samples[peer]
        return {
            name: statistics.median(sample.other_values[name] for sample in samples) for name in samples[0].other_values
        }


@dataclass
class BenchResults:
    """The results of all benchmarks in one run of `lab bench`.

    `absent` maps the id of each missing server to one line that says how to install that server. `doubts` has one line
    if the machine was busy at the start, because all values are then possibly wrong. Doubts about one benchmark are in
    `results`.
    """

    results: list[BenchmarkResult]
    peers: list[Peer]
    absent: dict[str, str]
    environment: dict[str, Any]
    doubts: list[str]


async def measure(
    benchmarks: Sequence[Benchmark], sizes: Sizes, *, on_progress: ProgressCallback = lambda _: None
) -> BenchResults:
    """Runs each benchmark on every available server, in rounds.

    In a round, each benchmark runs once on each server; long benchmarks run only in the first rounds. Before each run
    of a benchmark on a server, `on_progress` is called with one line of text.
    """
    peers, absent = available_peers()
    environment, doubts = _environment(sizes, peers), _machine_doubts()
    results = [BenchmarkResult(benchmark) for benchmark in benchmarks]
    began = time.monotonic()
    for round_number in range(max(sizes.rounds, sizes.rounds_when_long)):
        for result in results:
            if round_number < (sizes.rounds_when_long if result.benchmark.is_long else sizes.rounds):
                await _run_round(result, peers, sizes, round_number, on_progress)
    for result in results:
        result.doubts += _result_doubts(result)
    environment["seconds"] = round(time.monotonic() - began, 1)
    return BenchResults(results, peers, absent, environment, doubts)


async def _run_round(
    result: BenchmarkResult, peers: Sequence[Peer], sizes: Sizes, round_number: int, on_progress: ProgressCallback
) -> None:
    """Runs one benchmark once on each server.

    It adds a sample to `result` for each run. If a run fails, it adds one line to `result.doubts` instead. Each round
    starts with a different server, because a machine slows down as it warms up.
    """
    first = round_number % len(peers)
    order = [*peers[first:], *peers[:first]]
    if result.benchmark.load is loads.fan_out:
        order.append(FLOOR)
    for peer in order:
        on_progress(f"{result.benchmark.id} {peer.id}, round {round_number + 1}")
        load = loads.floor if peer is FLOOR else result.benchmark.load
        try:
            async with running(peer) as server:
                sample = await load(server, sizes)
        except LoadError as error:
            result.doubts.append(f"{result.benchmark.id} {peer.id}: a run failed: {error}")
            continue
        result.samples.setdefault(peer.id, []).append(sample)


def _result_doubts(result: BenchmarkResult) -> list[str]:
    lines = []
    for peer, samples in result.samples.items():
        name = f"{result.benchmark.id} {peer}"
        generator_share = max(sample.generator_share for sample in samples)
        if generator_share > MAX_GENERATOR_SHARE:
            lines.append(
                f"{name}: the load generator was busy {generator_share:.0%} of the time; {result.benchmark.busy_remark}"
            )
        values = [sample.value for sample in samples]
        median = statistics.median(values)
        if median and (max(values) - min(values)) / abs(median) > MAX_SPREAD:
            lines.append(f"{name}: the runs differ by {(max(values) - min(values)) / abs(median):.0%} of their median")
    return lines


def _machine_doubts() -> list[str]:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load < MAX_OTHER_LOAD:
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
        "raised_limits": dict(RAISED_LIMITS),
        "peers": {peer.id: peer.description for peer in (*peers, FLOOR)},
        "sizes": asdict(sizes),
    }
