"""Calculates how many server processes a number of drivers needs.

Drivers are users who send their positions. Watchers are users who receive the drivers' positions. The calculation uses
measured costs and assumptions. A shard is a group of processes with one Redis. Each process receives every emit of its
shard, so more processes do not reduce the load of receiving emits. Redis uses only one core.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from good_server.cluster.rate_limits import sync_batch
from good_server.settings import Settings
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

    The cost of a connection is in bytes of memory. All other costs are in CPU seconds.
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

        In `costs`, the cost of an emit in Redis covers the sending to two server processes. The cost of a message id
        covers two Redis requests: one reserves the id, and one stores the ack. So these costs are halved.
        """
        return cls(
            memory_bytes_per_connection=costs.memory_bytes_per_connection,
            seconds_per_delivery=costs.delivery,
            seconds_per_event=costs.event,
            # three costs are differences of two measurements: noise may make them negative
            seconds_per_publish=max(0.0, costs.publish),
            seconds_per_receive=costs.receive,
            seconds_per_redis_request=max(0.0, costs.with_id / 2),
            redis_seconds_per_receive=costs.redis_per_emit / 2,
            redis_seconds_per_request=max(0.0, costs.redis_per_id / 2),
        )


@dataclass(frozen=True)
class Assumed:
    """Assumptions of the capacity plan: change them to match your product.

    The plan says how many server processes are needed. A driver is a user who sends positions, and a watcher is a user
    who receives them. `core_share` is the highest planned CPU load of a server process and of Redis; 1 is one core.
    """

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

    A driver is a user who sends positions, and a shard is a group of processes with its own Redis. `processes` is the
    total of all shards. It is None when no number of processes is enough. `limit` says what determines the number of
    processes, or what makes the plan impossible. `redis_share` is the CPU load of each Redis; 1 is one core.
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

    A driver is a user who sends positions. A shard is a group of processes with its own Redis, for the users of some
    companies. If no number of processes is enough, `processes` of the plan is None.
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

    A shard is a group of processes with its own Redis. It has `connections` connections, and `emits` emits per second.
    When no number of processes is enough, the returned number is None, and the string says why.
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

    `emits` is the number of emits per second on all `processes` processes. The process handles its part of the events
    and deliveries, and receives the emits of all other processes.
    """
    several = processes > 1
    sync = assumed.redis_requests_per_position * measured.seconds_per_redis_request
    event = measured.seconds_per_event + several * (measured.seconds_per_publish + sync)
    own = emits / processes * (event + assumed.watchers_per_driver * measured.seconds_per_delivery)
    return own + several * emits * (1 - 1 / processes) * measured.seconds_per_receive


def _redis_share(emits: float, processes: int, measured: Measured, assumed: Assumed) -> float:
    """Returns the CPU load of Redis; 1 is one core.

    Redis sends every emit to every process, and answers the requests that sync the rate limits. `emits` is per second.
    A single process uses no Redis, so its result is 0.
    """
    if processes == 1:
        return 0.0
    sync = assumed.redis_requests_per_position * measured.redis_seconds_per_request
    return emits * (processes * measured.redis_seconds_per_receive + sync)


def shards_needed(drivers: int, measured: Measured, assumed: Assumed) -> int:
    """Returns the smallest number of shards that can serve `drivers` drivers.

    A driver is a user who sends positions. Each shard has its own processes and its own Redis. Only powers of two are
    tried. Raises `ValueError` when no number of shards is enough.
    """
    shards = 1
    while plan(drivers, measured, assumed, shards=shards).processes is None:
        shards *= 2
        if shards > MAX_SHARDS:
            raise ValueError("no number of shards is enough")
    return shards


def max_drivers_in_one_shard(measured: Measured, assumed: Assumed) -> int:
    """Returns how many drivers one shard can serve at most.

    A driver is a user who sends positions, and a shard is a group of processes with its own Redis. The result is exact
    to about 0.1 percent.
    """
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


def plans(measured: Measured, assumed: Assumed, sizes: Sequence[int] = FLEET_SIZES) -> list[Plan]:
    """Returns the plans for each number of drivers in `sizes`.

    A plan says how many server processes these drivers (users who send positions) need. The first plan has one shard:
    one group of processes with its own Redis. If one shard is not enough, a second plan follows, with the smallest
    number of shards that is enough. Raises `ValueError` when no number of shards is enough.
    """
    found = []
    for drivers in sizes:
        shards = shards_needed(drivers, measured, assumed)
        found += [plan(drivers, measured, assumed)]
        found += [plan(drivers, measured, assumed, shards=shards)] if shards > 1 else []
    return found


def rows(measured: Measured, assumed: Assumed, sizes: Sequence[int] = FLEET_SIZES) -> list[list[str]]:
    """Returns the rows of the capacity table, one row for each plan.

    A plan says how many server processes some number of drivers needs. Drivers are users who send positions, and
    `sizes` has the numbers of drivers.
    """
    return [row(planned) for planned in plans(measured, assumed, sizes)]


def row(planned: Plan) -> list[str]:
    """Returns the row of the capacity table for one plan.

    A plan says how many server processes a number of drivers (users who send positions) needs. The names of the columns
    are in `HEAD`.
    """
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
