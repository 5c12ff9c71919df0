"""Resource meter: CPU and bytes that a server's processes and its Redis use while it is open."""

import time
from dataclasses import dataclass

import aiohttp
from redis.asyncio import Redis

from lab.servers.probe_client import ProbeClient


@dataclass(frozen=True)
class ServerAddress:
    """A server of one or of several processes: public ports, probes' addresses, the port of their Redis."""

    ports: tuple[int, ...]
    probes: tuple[str, ...]
    redis_port: int | None
    secret: str


@dataclass(frozen=True)
class ResourceUse:
    """What `count` things took: seconds by the clock, and of CPU by process."""

    count: int
    wall_seconds: float
    server_seconds: tuple[float, ...]
    redis_seconds: float
    redis_bytes_out: float
    generator_seconds: float

    @property
    def each_second(self) -> float:
        """How many a second by the clock."""
        return self.count / self.wall_seconds

    @property
    def each_busiest_second(self) -> float:
        """How many while the busiest server process used a second of CPU: what they could do if nothing else did."""
        return self.count / max(self.server_seconds)


class ResourceMeter:
    """`async with ResourceMeter(where) as meter: …`, then `meter.on(count)`."""

    def __init__(self, where: ServerAddress) -> None:
        self._server = where
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
        """CPU seconds of each server process, those of Redis, its bytes out, those of this process, and the clock."""
        servers = [(await ProbeClient(self._session, url).read()).cpu_seconds for url in self._server.probes]
        return [*servers, *await self._redis(), time.process_time(), time.perf_counter()]

    async def _redis(self) -> tuple[float, float]:
        if self._server.redis_port is None:
            return 0.0, 0.0
        async with Redis(port=self._server.redis_port) as client:
            told = await client.info("cpu") | await client.info("stats")
        return told["used_cpu_user"] + told["used_cpu_sys"], told["total_net_output_bytes"]

    def on(self, count: int) -> ResourceUse:
        """What `count` things took while it was open."""
        *servers, redis, out, own, wall = (now - then for then, now in zip(self._before, self._after, strict=True))
        return ResourceUse(count, wall, tuple(servers), redis, out, own)
