"""Measures what one more connection costs a server process."""

import sys
from dataclasses import dataclass

import aiohttp
import psutil

from lab.bench import wire
from lab.scaling.load import connected_crowd
from lab.scaling.resource_meter import ServerAddress
from lab.servers.probe_client import ProbeClient


@dataclass(frozen=True)
class ConnectionCost:
    """What one more connection costs a server process.

    `memory_bytes` is the memory of the connection, and `connect_seconds` the CPU seconds to accept it and to check its
    token. `other_files` is how many files the process has open besides its connections.
    """

    memory_bytes: float
    connect_seconds: float
    other_files: int


async def connection_cost(address: ServerAddress, connections: int) -> ConnectionCost:
    """Measures what a connection costs the first server process.

    The result is the average of `connections` connections. Some other connections are made before the measurement,
    because the first connections also allocate memory that all connections share.
    """
    wire.SECRET = address.secret
    async with aiohttp.ClientSession() as session:
        probe = ProbeClient(session, address.probes[0])
        other_files = _open_files((await probe.read()).pid)
        first = await connected_crowd(address.ports[0], connections // 4, "first")
        before = await probe.read()
        more = await connected_crowd(address.ports[0], connections, "more")
        after = await probe.read()
    for crowd in (first, more):
        crowd.leave()
    cpu_seconds, memory_bytes = after.cpu_seconds - before.cpu_seconds, after.rss_bytes - before.rss_bytes
    return ConnectionCost(memory_bytes / connections, cpu_seconds / connections, other_files)


def _open_files(pid: int) -> int:
    process = psutil.Process(pid)
    if sys.platform == "win32":
        return process.num_handles()
    return process.num_fds()
