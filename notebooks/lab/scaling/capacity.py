"""Calculates how many server processes a number of drivers needs.

The calculation uses measured costs and assumptions. A shard is a group of processes with one Redis. Each process
receives every emit of its shard, so more processes do not reduce the load of receiving emits. Redis uses only one core.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
MAX_PROCESSES = 10_000
MAX_SHARDS = 1 << 20
FLEET_SIZES = (10_000, 1_000_000, 10_000_000)


@dataclass(frozen=True)
class Measured:
    """Measured costs of one event, delivery, connection or Redis request.

    Costs are in CPU seconds. The cost of a connection is in bytes of memory.
    """

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
        """Returns the cost of one operation of each kind, calculated from `costs`.

        `costs` were measured with two server processes, so Redis sent each emit twice. A message id takes two Redis
        requests: the first claims the id, the second stores the ack.
        """
        return cls(
            memory_bytes_per_connection=costs.memory_bytes_per_connection,
            seconds_per_delivery=costs.delivery,
            seconds_per_event=costs.event,
            # a difference of two measurements: noise may make it negative
            seconds_per_publish=max(0.0, costs.publish),
            seconds_per_receive=costs.receive,
            seconds_per_redis_request=costs.with_id / 2,
            redis_seconds_per_receive=costs.redis_per_emit / 2,
            redis_seconds_per_request=costs.redis_per_id / 2,
        )


@dataclass(frozen=True)
class Assumed:
    """Assumptions of the capacity plan: change them to match your product."""

    positions_per_second: float = 0.5
    watchers_per_driver: float = 3.0
    watchers_per_connection: float = 0.05
    # rates are synced with Redis in batches: a position counts for its own rate and for that of all events
    redis_requests_per_position: float = sum(1 / sync_batch(round(rate * BURST_SECONDS)) for rate in RATES)
    # the planned load of a core: the rest is for a wave of reconnects
    core_share: float = 0.5
    connections_per_process: int = int(DEFAULTS["connections"].default)


@dataclass(frozen=True)
class Plan:
    """Server processes for `drivers` drivers who are divided into `shards` shards.

    `processes` is the total of all shards, or None when no number of processes is enough. `limit` names the resource
    that determines this number. `redis_share` is the CPU load of each Redis; 1 is one core.
    """

    drivers: int
    shards: int
    connections: float
    emits_per_second: float
    memory_bytes: float
    processes: int | None
    limit: str
    redis_share: float | None


def plan(drivers: int, measured: Measured, assumed: Assumed, *, shards: int = 1) -> Plan:
    """Returns the plan with the fewest processes that serve `drivers` drivers.

    The drivers are divided into `shards` shards by company.
    """
    connections = drivers * (1 + assumed.watchers_per_connection)
    emits = drivers * assumed.positions_per_second
    per_shard, limit = _processes_per_shard(connections / shards, emits / shards, measured, assumed)
    return Plan(
        drivers,
        shards,
        connections,
        emits,
        connections * measured.memory_bytes_per_connection,
        None if per_shard is None else per_shard * shards,
        limit,
        None if per_shard is None else _redis_share(emits / shards, per_shard, measured, assumed),
    )


def _processes_per_shard(
    connections: float, emits: float, measured: Measured, assumed: Assumed
) -> tuple[int | None, str]:
    """Returns how many processes one shard needs, and what determines the number.

    `connections` and `emits` (per second) are those of the shard. The number is None when no number is enough; then the
    string says why.
    """
    minimum = max(1, -int(-connections // assumed.connections_per_process))
    for processes in range(minimum, MAX_PROCESSES):
        if processes > 1 and _redis_share(emits, processes, measured, assumed) > assumed.core_share:
            # more processes only increase the load of Redis
            return None, "the one core of Redis"
        if _process_share(emits, processes, measured, assumed) <= assumed.core_share:
            return processes, "connections" if processes == minimum else "CPU of a process"
    is_overloaded = emits * measured.seconds_per_receive > assumed.core_share
    return None, "receiving every emit" if is_overloaded else f"more than {MAX_PROCESSES:,} processes"


def _process_share(emits: float, processes: int, measured: Measured, assumed: Assumed) -> float:
    """Returns the CPU load of one server process; 1 is one core.

    The process handles its part of the events and deliveries, and receives the emits of all other processes.
    """
    several = processes > 1
    sync = assumed.redis_requests_per_position * measured.seconds_per_redis_request
    event = measured.seconds_per_event + several * (measured.seconds_per_publish + sync)
    own = emits / processes * (event + assumed.watchers_per_driver * measured.seconds_per_delivery)
    return own + several * emits * (1 - 1 / processes) * measured.seconds_per_receive


def _redis_share(emits: float, processes: int, measured: Measured, assumed: Assumed) -> float:
    """Returns the CPU load of Redis; 1 is one core.

    Redis sends every emit to every process, and answers the requests that sync the rate limits.
    """
    if processes == 1:
        return 0.0
    sync = assumed.redis_requests_per_position * measured.redis_seconds_per_request
    return emits * (processes * measured.redis_seconds_per_receive + sync)


def shards_needed(drivers: int, measured: Measured, assumed: Assumed) -> int:
    """Returns the smallest number of shards that can serve `drivers` drivers.

    Only powers of two are tried. Each shard has its own processes and its own Redis. Raises `ValueError` when no number
    is enough.
    """
    shards = 1
    while plan(drivers, measured, assumed, shards=shards).processes is None:
        shards *= 2
        if shards > MAX_SHARDS:
            raise ValueError("no number of shards is enough")
    return shards


def max_drivers_in_one_shard(measured: Measured, assumed: Assumed) -> int:
    """Returns how many drivers one shard can serve at most."""
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
    "memory",
    "positions/s",
    "processes",
    "limited by",
    "Redis CPU",
)


def rows(measured: Measured, assumed: Assumed) -> list[list[str]]:
    """Returns the rows of the capacity table.

    Each number of drivers in `FLEET_SIZES` has a row for one shard. If one shard is not enough, a second row is for the
    smallest number of shards that is enough.
    """
    plans = []
    for drivers in FLEET_SIZES:
        shards = shards_needed(drivers, measured, assumed)
        plans += [plan(drivers, measured, assumed)]
        plans += [plan(drivers, measured, assumed, shards=shards)] if shards > 1 else []
    return [_row(planned) for planned in plans]


def _row(planned: Plan) -> list[str]:
    return [
        f"{planned.drivers:,}",
        f"{planned.shards:,}",
        f"{planned.connections:,.0f}",
        f"{number(planned.memory_bytes / GIB)} GiB",
        f"{planned.emits_per_second:,.0f}",
        "not possible" if planned.processes is None else f"{planned.processes:,}",
        planned.limit,
        "–" if planned.redis_share is None else f"{100 * planned.redis_share:.0f} %",
    ]


def figure(measured: Measured, assumed: Assumed) -> Figure:
    """Draws how many server processes each number of drivers needs.

    One line is for a single channel that all processes share; the line ends at the limit of this channel. The other
    line is for shards by company.
    """
    drawing, axes = new_figure(height=3.0)
    axes.spines["left"].set_visible(True)
    axes.spines["left"].set_color(INK)
    channel_limit = max_drivers_in_one_shard(measured, assumed)
    drivers = [round(10 ** (3 + step / 12)) for step in range(5 * 12 + 1)]
    sharded = [plan(count, measured, assumed, shards=shards_needed(count, measured, assumed)) for count in drivers]
    _add_line(axes, drivers, sharded, "good", "sharded by company")
    below_limit = [count for count in drivers if count < channel_limit] + [channel_limit]
    one_channel = [plan(count, measured, assumed) for count in below_limit]
    _add_line(axes, below_limit, one_channel, "bad", "one channel for all processes")
    top = max(planned.processes or 0 for planned in sharded)
    reason = plan(2 * channel_limit, measured, assumed).limit
    axes.plot([channel_limit, channel_limit], [1, top], color=INK, linestyle=":", linewidth=1.2)
    note = f"the limit of one channel:\n{reason}"
    position: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "va": "top"}
    axes.annotate(note, (channel_limit, top), (-6, -2), color=INK, fontsize=8, **position)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for size in FLEET_SIZES:
        axes.axvline(size, color=INK, alpha=0.3, linewidth=0.8)
    axes.set_xlabel("drivers", color=INK, fontsize=9)
    axes.set_ylabel("server processes", color=INK, fontsize=9)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="lower right")
    rounded_limit = float(f"{channel_limit:.2g}")
    set_title(axes, f"Calculated: one channel serves about {rounded_limit:,.0f} drivers, shards serve more")
    return drawing


def _add_line(axes: object, xs: Sequence[float], plans: Sequence[Plan], side: str, name: str) -> None:
    marker, style, width = {"bad": ("s", (0, (2, 2)), 3.0), "good": ("o", "-", 1.5)}[side]
    ys = [planned.processes or 0 for planned in plans]
    colour = COLOURS[side]
    axes.plot(xs, ys, color=colour, linestyle=style, marker=marker, markevery=12, linewidth=width, label=name)  # type: ignore[attr-defined]
