"""Answers for what lesson 12 measures: one process beside two, what Redis costs, and what a connection holds."""

import secrets
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from lab.scaling import load
from lab.scaling.resource_meter import ResourceUse, ServerAddress
from lab.servers.fleet import Fleet
from lab.servers.process import Server
from lab.servers.running import running
from lab.system.own_process import in_own_process

# the load comes from few users of one address, and nobody's ping may be among the bytes that are counted
SETTINGS = {
    "SERVER_PING_INTERVAL_SECONDS": "300",
    "SERVER_SOCKETS_PER_ADDRESS": "20000",
    "SERVER_CONNECTS_PER_SECOND": "100000",
    "SERVER_EVENTS_PER_SECOND": "1000000",
    "SERVER_CHAT_PER_SECOND": "1000000",
}
ROUNDS = 3
IN_FLIGHT = 50


# of a run, such as `by_the_clock`
Rate = Callable[[ResourceUse], float]


def by_the_clock(run: ResourceUse) -> float:
    """Deliveries a second."""
    return run.each_second


def by_the_busiest(run: ResourceUse) -> float:
    """Deliveries while the busiest server process used a second of CPU."""
    return run.each_busiest_second


@dataclass(frozen=True)
class Throughput:
    """Fan-out to one room by one and by two processes, in rounds that take turns."""

    members: int
    runs: Mapping[int, Sequence[ResourceUse]]

    def median(self, processes: int, of: Rate) -> float:
        """The median of a rate over the rounds."""
        return statistics.median(of(run) for run in self.runs[processes])

    def times(self, of: Rate) -> float:
        """Two processes, as a multiple of one: the median of the rounds' own ratios."""
        pairs = zip(self.runs[1], self.runs[2], strict=True)
        return statistics.median(of(two) / of(one) for one, two in pairs)


@dataclass(frozen=True)
class Costs:
    """CPU seconds for each: a request alone, with a Redis to tell, with an id, and elsewhere; bytes of a connection."""

    event: float
    publish: float
    receive: float
    with_id: float
    redis_per_emit: float
    redis_per_id: float
    delivery: float
    memory_bytes_per_connection: float
    latencies: Mapping[str, Sequence[float]] = field(default_factory=dict)


async def throughput(*, members: int = 400, seconds: float = 1.0, rounds: int = ROUNDS) -> Throughput:
    """Both servers stand beside each other, and one of them at a time is asked."""
    runs: dict[int, list[ResourceUse]] = {1: [], 2: []}
    async with BothServers() as places:
        for _ in range(rounds):
            for processes, where in places.items():
                runs[processes].append(await _in_own_process(load.fan_out, where, members, seconds))
    return Throughput(members, runs)


async def costs(*, requests: int = 3000, members: int = 400, connections: int = 800) -> Costs:
    """To nobody: what is left is the price of the asking and the telling."""
    async with BothServers() as places:
        alone, shared = places[1], places[2]
        nobody = {"to": "nobody"}
        rounds = [
            (
                await _in_own_process(load.requests, alone, requests, IN_FLIGHT, nobody),
                await _in_own_process(load.requests, shared, requests, IN_FLIGHT, nobody),
                await _in_own_process(load.requests, shared, requests, IN_FLIGHT, {**nobody, "id": True}),
            )
            for _ in range(ROUNDS)
        ]
        spread = await _in_own_process(load.fan_out, alone, members, 0.5)
        memory = await _in_own_process(load.memory, alone, connections)
        waited = await _in_own_process(load.latencies, shared, 60)
    event, told, with_id = zip(*rounds, strict=True)
    served, told_served, with_id_served = (
        _each(runs, lambda run: run.server_seconds[0]) for runs in (event, told, with_id)
    )
    redis, redis_with_id = (_each(runs, lambda run: run.redis_seconds) for runs in (told, with_id))
    return Costs(
        event=served,
        publish=told_served - served,
        receive=_each(told, lambda run: run.server_seconds[1]),
        with_id=with_id_served - told_served,
        redis_per_emit=redis,
        redis_per_id=redis_with_id - redis,
        delivery=spread.server_seconds[0] / spread.count,
        memory_bytes_per_connection=memory,
        latencies=waited,
    )


def _each(runs: Sequence[ResourceUse], of: Rate) -> float:
    """What one thing took, the median over the rounds."""
    return statistics.median(of(run) / run.count for run in runs)


class BothServers:
    """A server of one process and one of two, by their number of processes."""

    async def __aenter__(self) -> dict[int, ServerAddress]:
        self._stack = AsyncExitStack()
        places = {}
        for processes in (1, 2):
            secret = secrets.token_hex(32)
            settings = {**SETTINGS, "SERVER_JWT_SECRET": secret}
            server = await self._stack.enter_async_context(running("good", workers=processes, settings=settings))
            places[processes] = _address_of(server, secret)
        return places

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


def _address_of(server: Server | Fleet, secret: str) -> ServerAddress:
    ports = tuple(process.port for process in server.processes)
    probes = tuple(process.probe.url for process in server.processes)
    return ServerAddress(ports, probes, server.redis.port if server.redis is not None else None, secret)


async def _in_own_process(function: Any, *arguments: Any) -> Any:
    return await in_own_process(function, *arguments, is_fast=True)
