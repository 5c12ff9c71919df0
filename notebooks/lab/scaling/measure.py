"""Measures servers of one and of two processes, for the notebook `12_scaling_out`.

It compares how many messages per second these servers deliver. It also measures what Redis, requests and connections
cost.
"""

import secrets
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, cast

from lab.scaling import load
from lab.scaling.connection_cost import connection_cost
from lab.scaling.load import Load
from lab.scaling.resource_meter import ResourceUse, ServerAddress
from lab.servers.fleet import Fleet
from lab.servers.process import Server
from lab.servers.running import running
from lab.system.own_process import in_own_process

# the load comes from a few users of one address, and pings would distort the byte counts
SETTINGS = {
    "SERVER_PING_INTERVAL_SECONDS": "300",
    "SERVER_SOCKETS_PER_ADDRESS": "20000",
    "SERVER_CONNECTS_PER_SECOND": "100000",
    "SERVER_CONNECTS_PER_SECOND_PER_ADDRESS": "100000",
    "SERVER_EVENTS_PER_SECOND": "1000000",
    "SERVER_CHAT_PER_SECOND": "1000000",
}
ROUNDS = 3
IN_FLIGHT = 50
# a load takes about a second; a machine that is busy with other programs needs much longer
LOAD_SECONDS = 120.0


# the address of a server, by the number of its processes (1 or 2)
Addresses = Mapping[int, ServerAddress]
# a function that computes a value of a run, such as `by_the_clock`
Rate = Callable[[ResourceUse], float]


def by_the_clock(run: ResourceUse) -> float:
    """Returns the deliveries of `run` per second of wall-clock time.

    A delivery is one message that reached one client.
    """
    return run.each_second


def by_the_busiest(run: ResourceUse) -> float:
    """Returns deliveries of `run` per CPU second of the busiest server process.

    A delivery is one message that reached one client.
    """
    return run.each_busiest_second


@dataclass(frozen=True)
class Throughput:
    """Results of sending to one room, with one and two processes.

    `runs` maps the number of server processes (1 or 2) to the results; each round of the measurement gives one result
    for each number. `members` is the number of clients in the room.
    """

    members: int
    runs: Mapping[int, Sequence[ResourceUse]]

    def median(self, processes: int, rate: Rate) -> float:
        """Returns the median of `rate(run)` over all runs with `processes` processes.

        `rate` computes a rate from one run, such as deliveries per second.
        """
        return statistics.median(rate(run) for run in self.runs[processes])

    def times(self, rate: Rate) -> float:
        """Returns how many times higher the rate is with two processes.

        `rate` computes a rate from one run, such as deliveries per second. For each round, the rate with two processes
        is divided by the rate with one process. The result is the median of these ratios.
        """
        pairs = zip(self.runs[1], self.runs[2], strict=True)
        return statistics.median(rate(two) / rate(one) for one, two in pairs)


@dataclass(frozen=True)
class Costs:
    """Measured costs of single operations, in CPU seconds.

    `event` is the cost of a request on a server without Redis. `publish` is the additional cost of publishing to Redis.
    `with_id` is the additional cost of a message id, by which a server recognises a repeated message. `receive` is the
    cost for one process to receive an emit of another process. `redis_per_emit` and `redis_per_id` are the CPU seconds
    that Redis needs for an emit and for a message id. `connect` is the cost of a new connection. `bytes_per_delivery`
    is the size of a chat message on the wire, and `other_files` the number of open files besides the connections.
    `latencies` are in seconds.
    """

    event: float
    publish: float
    receive: float
    with_id: float
    redis_per_emit: float
    redis_per_id: float
    delivery: float
    memory_bytes_per_connection: float
    connect: float
    bytes_per_delivery: int
    other_files: int
    latencies: Mapping[str, Sequence[float]] = field(default_factory=dict)


async def throughput(
    servers: Addresses, *, members: int = 400, seconds: float = 1.0, rounds: int = ROUNDS
) -> Throughput:
    """Measures the throughput of a server of one process and of two.

    The throughput is the number of messages that clients receive per second. `servers` maps the number of processes (1
    and 2) to the address of the server. In each round, one server after the other is under load for `seconds` seconds.
    `members` is the number of clients in the room that gets the messages.
    """
    pair = [Load(load.fan_out, (address, members, seconds)) for address in servers.values()]
    found = await _in_own_process(pair * rounds)
    return Throughput(members, {processes: found[place :: len(pair)] for place, processes in enumerate(servers)})


async def costs(
    servers: Addresses,
    fan_out: Sequence[ResourceUse],
    *,
    requests: int = 1500,
    connections: int = 500,
    messages: int = 20,
) -> Costs:
    """Measures the costs of requests and connections, and the latency of messages.

    `servers` maps the number of processes (1 and 2) to the address of the server. The cost of a request is in CPU
    seconds. Each request is a message to a user who is not connected, so this cost includes handling and publishing,
    but no delivery. The cost of a connection is CPU seconds and bytes of memory.
    `fan_out` are the results of `throughput` for one process; the cost of a delivery is calculated from them.
    `messages` is the number of messages whose latency is measured.
    """
    single, shared = servers[1], servers[2]
    absent = {"to": "nobody"}
    kinds = [(single, absent), (shared, absent), (shared, {**absent, "id": True})]
    asked = [Load(load.requests, (address, requests, IN_FLIGHT, fields)) for address, fields in kinds]
    last = [Load(connection_cost, (single, connections)), Load(load.latencies, (shared, messages))]
    *rounds, connection, latencies = await _in_own_process(asked * ROUNDS + last)
    event, published, with_id = (rounds[place :: len(kinds)] for place in range(len(kinds)))
    event_seconds, published_seconds, with_id_seconds = (
        _cost_of_one(runs, lambda run: run.server_seconds[0]) for runs in (event, published, with_id)
    )
    redis, redis_with_id = (_cost_of_one(runs, lambda run: run.redis_seconds) for runs in (published, with_id))
    return Costs(
        event=event_seconds,
        publish=published_seconds - event_seconds,
        receive=_cost_of_one(published, lambda run: run.server_seconds[1]),
        with_id=with_id_seconds - published_seconds,
        redis_per_emit=redis,
        redis_per_id=redis_with_id - redis,
        delivery=_cost_of_one(fan_out, lambda run: run.server_seconds[0]),
        memory_bytes_per_connection=connection.memory_bytes,
        connect=connection.connect_seconds,
        bytes_per_delivery=fan_out[0].bytes_each,
        other_files=connection.other_files,
        latencies=latencies,
    )


def _cost_of_one(runs: Sequence[ResourceUse], cost: Rate) -> float:
    """Returns the median cost of one operation over all rounds.

    `runs` has one entry per round. `cost(run)` is the cost of all operations of this round.
    """
    return statistics.median(cost(run) / run.count for run in runs)


class BothServers:
    """Runs two good servers: one with one process, one with two.

    Both run at the same time. `async with` returns a dict from the number of processes (1 or 2) to the address of the
    server.
    """

    async def __aenter__(self) -> Addresses:
        self._stack = AsyncExitStack()
        addresses = {}
        for processes in (1, 2):
            secret = secrets.token_hex(32)
            settings = {**SETTINGS, "SERVER_JWT_SECRET": secret}
            server = await self._stack.enter_async_context(running("good", workers=processes, settings=settings))
            addresses[processes] = _address_of(server, secret)
        return addresses

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


def _address_of(server: Server | Fleet, secret: str) -> ServerAddress:
    ports = tuple(process.port for process in server.processes)
    probes = tuple(process.probe.url for process in server.processes)
    return ServerAddress(ports, probes, server.redis.port if server.redis is not None else None, secret)


async def _in_own_process(loads: Sequence[Load]) -> list[Any]:
    timeout = LOAD_SECONDS * len(loads)
    return cast("list[Any]", await in_own_process(load.in_turn, loads, is_fast=True, timeout=timeout))
