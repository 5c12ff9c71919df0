"""Measures the CPU time of server processes, Redis and this process.

This process is the load generator. The module also counts the bytes that Redis sends.
"""

import time
from dataclasses import dataclass

import aiohttp
from redis.asyncio import Redis

from lab.servers.probe_client import ProbeClient


@dataclass(frozen=True)
class ServerAddress:
    """The addresses of a server with one or several processes.

    `ports` are the public ports. `probes` has one URL per server process, at which the process reports its
    measurements. `redis_port` is None if the server has no Redis. `secret` signs the tokens of users.
    """

    ports: tuple[int, ...]
    probes: tuple[str, ...]
    redis_port: int | None
    secret: str


@dataclass(frozen=True)
class ResourceUse:
    """The CPU time and bytes that `count` operations used.

    An operation is, for example, a request or a delivery to one client. `wall_seconds` is wall-clock time; all other
    times are CPU seconds. `server_seconds` has one value per server process. `generator_seconds` is the CPU time of the
    load generator. `redis_bytes_out` is how many bytes Redis sent. `bytes_each` is the size of one delivery on the
    wire, in bytes, or 0 if it was not measured.
    """

    count: int
    wall_seconds: float
    server_seconds: tuple[float, ...]
    redis_seconds: float
    redis_bytes_out: float
    generator_seconds: float
    bytes_each: int = 0

    @property
    def each_second(self) -> float:
        """Operations per second of wall-clock time."""
        return self.count / self.wall_seconds

    @property
    def each_busiest_second(self) -> float:
        """Operations per CPU second of the busiest server process.

        The server would reach this rate if each of its processes had a CPU core to itself.
        """
        return self.count / max(self.server_seconds)


class ResourceMeter:
    """Measures CPU time and Redis traffic during an `async with` block.

    The CPU time is that of each server process, of Redis and of this process (the load generator). The traffic is the
    bytes that Redis sends. Usage: `async with ResourceMeter(address) as meter: …`, then `meter.use_of(count)`.
    """

    def __init__(self, address: ServerAddress) -> None:
        self._address = address
        self._before: list[float] = []
        self._after: list[float] = []

    async def __aenter__(self) -> "ResourceMeter":
        self._session = aiohttp.ClientSession()
        self._before = await self._read()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._after = await self._read()
        await self._session.close()

    async def _read(self) -> list[float]:
        """Returns the current values of all counters, in a fixed order.

        They are the CPU seconds of each server process and of Redis, the bytes that Redis sent, the CPU seconds of this
        process, and the wall clock in seconds.
        """
        servers = [(await ProbeClient(self._session, url).read()).cpu_seconds for url in self._address.probes]
        return [*servers, *await self._read_redis(), time.process_time(), time.perf_counter()]

    async def _read_redis(self) -> tuple[float, float]:
        if self._address.redis_port is None:
            return 0.0, 0.0
        async with Redis(port=self._address.redis_port) as client:
            info = await client.info("cpu") | await client.info("stats")
        return info["used_cpu_user"] + info["used_cpu_sys"], info["total_net_output_bytes"]

    def use_of(self, count: int) -> ResourceUse:
        """Returns the resources that `count` operations used in the block.

        Call it after the `async with` block of this meter. An operation is, for example, a request.
        """
        differences = (after - before for before, after in zip(self._before, self._after, strict=True))
        *servers, redis, bytes_out, generator, wall = differences
        return ResourceUse(count, wall, tuple(servers), redis, bytes_out, generator)
