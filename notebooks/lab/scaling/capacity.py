"""Answers for how far a fleet of drivers goes, on paper: from what was measured and what is assumed.

Every process of a shard hears every emit of it, whoever it is for. That part of its work does not shrink when there
are more processes; nor does Redis have more than one core.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from good_server.cluster.rate_limits import sync_batch
from good_server.settings import Settings
from lab.figures.bars import COLOURS, INK, new_figure, set_title
from lab.results.wording import number
from lab.scaling.measure import Costs

GIB = 1024**3
DEFAULTS = Settings.model_fields
BURST_SECONDS = float(DEFAULTS["burst_seconds"].default)
RATES = [float(DEFAULTS[name].default) for name in ("tracking_per_second", "events_per_second")]
PROCESSES_AT_MOST = 10_000
SHARDS_AT_MOST = 1 << 20
SIZES = (10_000, 1_000_000, 10_000_000)


@dataclass(frozen=True)
class Measured:
    """Seconds of CPU and bytes, each for one: from this machine, in this run."""

    memory_bytes_per_connection: float
    seconds_per_delivery: float
    seconds_per_event: float
    seconds_per_publish: float
    seconds_per_receive: float
    seconds_per_redis_request: float
    redis_seconds_per_receive: float
    redis_seconds_per_request: float

    @classmethod
    def of(cls, costs: Costs) -> "Measured":
        """There an emit has two that hear it, and a message id is two questions: to claim it, and to keep its ack."""
        return cls(
            memory_bytes_per_connection=costs.memory_bytes_per_connection,
            seconds_per_delivery=costs.delivery,
            seconds_per_event=costs.event,
            # a difference of two measurements, which the scatter may leave below nothing
            seconds_per_publish=max(0.0, costs.publish),
            seconds_per_receive=costs.receive,
            seconds_per_redis_request=costs.with_id / 2,
            redis_seconds_per_receive=costs.redis_per_emit / 2,
            redis_seconds_per_request=costs.redis_per_id / 2,
        )


@dataclass(frozen=True)
class Assumed:
    """What a product knows of itself: change it."""

    positions_per_second: float = 0.5
    watchers_per_driver: float = 3.0
    watchers_per_connection: float = 0.05
    # a position is settled with Redis in lots, as one of its kind and as one of all events
    redis_requests_per_position: float = sum(1 / sync_batch(round(rate * BURST_SECONDS)) for rate in RATES)
    # of a core, so that there is room for a wave of reconnects
    core_share: float = 0.5
    connections_per_process: int = int(DEFAULTS["connections"].default)


@dataclass(frozen=True)
class Plan:
    """What so many drivers need in so many shards; `processes` is None where no number of them is enough."""

    drivers: int
    shards: int
    connections: float
    emits_per_second: float
    memory_bytes: float
    processes: int | None
    limit: str
    redis_share: float | None


def plan(drivers: int, measured: Measured, assumed: Assumed, *, shards: int = 1) -> Plan:
    """The least number of processes that bears it, with the drivers spread over `shards` by company."""
    connections = drivers * (1 + assumed.watchers_per_connection)
    emits = drivers * assumed.positions_per_second
    found, limit = _processes(connections / shards, emits / shards, measured, assumed)
    return Plan(
        drivers,
        shards,
        connections,
        emits,
        connections * measured.memory_bytes_per_connection,
        None if found is None else found * shards,
        limit,
        None if found is None else _redis_share(emits / shards, found, measured, assumed),
    )


def _processes(connections: float, emits: float, measured: Measured, assumed: Assumed) -> tuple[int | None, str]:
    """Of one shard, and what sets their number or makes every number too small."""
    least = max(1, -int(-connections // assumed.connections_per_process))
    for processes in range(least, PROCESSES_AT_MOST):
        if processes > 1 and _redis_share(emits, processes, measured, assumed) > assumed.core_share:
            # each further process makes it worse
            return None, "Redis' one core"
        if _process_share(emits, processes, measured, assumed) <= assumed.core_share:
            return processes, "connections" if processes == least else "CPU of a process"
    is_deafening = emits * measured.seconds_per_receive > assumed.core_share
    return None, "hearing every emit" if is_deafening else f"more than {PROCESSES_AT_MOST:,} processes"


def _process_share(emits: float, processes: int, measured: Measured, assumed: Assumed) -> float:
    """Of a core: its own part of the events and deliveries, and what it hears of all the others."""
    several = processes > 1
    asking = assumed.redis_requests_per_position * measured.seconds_per_redis_request
    event = measured.seconds_per_event + several * (measured.seconds_per_publish + asking)
    own = emits / processes * (event + assumed.watchers_per_driver * measured.seconds_per_delivery)
    return own + several * emits * (1 - 1 / processes) * measured.seconds_per_receive


def _redis_share(emits: float, processes: int, measured: Measured, assumed: Assumed) -> float:
    """Of its core: every emit handed to every process, and the questions of those that settle their rates."""
    if processes == 1:
        return 0.0
    asked = assumed.redis_requests_per_position * measured.redis_seconds_per_request
    return emits * (processes * measured.redis_seconds_per_receive + asked)


def shards_needed(drivers: int, measured: Measured, assumed: Assumed) -> int:
    """The least number of shards, each with processes and a Redis of its own, that bears it; a power of two."""
    shards = 1
    while plan(drivers, measured, assumed, shards=shards).processes is None:
        shards *= 2
        if shards > SHARDS_AT_MOST:
            raise ValueError("no number of shards bears this")
    return shards


def most_in_one_shard(measured: Measured, assumed: Assumed) -> int:
    """How many drivers one shard bears at most."""
    low, high = 1, 2
    while plan(high, measured, assumed).processes is not None:
        low, high = high, 2 * high
    while high - low > max(1, low // 1000):
        middle = (low + high) // 2
        low, high = (middle, high) if plan(middle, measured, assumed).processes is not None else (low, middle)
    return low


HEAD = (
    "drivers",
    "shards",
    "connections",
    "their memory",
    "positions/s",
    "processes",
    "set by",
    "Redis' core",
)


def rows(measured: Measured, assumed: Assumed) -> list[list[str]]:
    """A row for each size in one shard, and where that does not bear it, one with as many as it takes."""
    told = []
    for drivers in SIZES:
        shards = shards_needed(drivers, measured, assumed)
        told += [plan(drivers, measured, assumed)]
        told += [plan(drivers, measured, assumed, shards=shards)] if shards > 1 else []
    return [_row(one) for one in told]


def _row(one: Plan) -> list[str]:
    return [
        f"{one.drivers:,}",
        f"{one.shards:,}",
        f"{one.connections:,.0f}",
        f"{number(one.memory_bytes / GIB)} GiB",
        f"{one.emits_per_second:,.0f}",
        "no number is enough" if one.processes is None else f"{one.processes:,}",
        one.limit,
        "–" if one.redis_share is None else f"{100 * one.redis_share:.0f} %",
    ]


def figure(measured: Measured, assumed: Assumed) -> Figure:
    """Processes by drivers: one channel that all hear, up to its wall, and shards by company."""
    drawn, axes = new_figure(height=3.0)
    axes.spines["left"].set_visible(True)
    axes.spines["left"].set_color(INK)
    wall = most_in_one_shard(measured, assumed)
    drivers = [round(10 ** (3 + step / 12)) for step in range(5 * 12 + 1)]
    sharded = [plan(count, measured, assumed, shards=shards_needed(count, measured, assumed)) for count in drivers]
    _line(axes, drivers, sharded, "good", "sharded by company")
    one = [count for count in drivers if count < wall] + [wall]
    _line(axes, one, [plan(count, measured, assumed) for count in one], "bad", "one channel that all hear")
    top = max(each.processes or 0 for each in sharded)
    limit = plan(2 * wall, measured, assumed).limit
    axes.plot([wall, wall], [1, top], color=INK, linestyle=":", linewidth=1.2)
    words = f"the wall of one channel:\n{limit}"
    axes.annotate(words, (wall, top), (-6, -2), textcoords="offset points", ha="right", va="top", color=INK, fontsize=8)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for size in SIZES:
        axes.axvline(size, color=INK, alpha=0.3, linewidth=0.8)
    axes.set_xlabel("drivers", color=INK, fontsize=9)
    axes.set_ylabel("server processes", color=INK, fontsize=9)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="lower right")
    set_title(axes, f"One channel bears about {float(f'{wall:.2g}'):,.0f} drivers; beyond that, shards by company")
    return drawn


def _line(axes: object, xs: Sequence[float], plans: Sequence[Plan], side: str, name: str) -> None:
    marker, style, width = {"bad": ("s", (0, (2, 2)), 3.0), "good": ("o", "-", 1.5)}[side]
    ys = [each.processes or 0 for each in plans]
    colour = COLOURS[side]
    axes.plot(xs, ys, color=colour, linestyle=style, marker=marker, markevery=12, linewidth=width, label=name)  # type: ignore[attr-defined]
