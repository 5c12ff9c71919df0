"""Answers for looking at server processes: asks the probe beside each, and adds up what several say."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import aiohttp

from lab.servers import probe as process_probe


@dataclass(frozen=True, slots=True)
class ProcessReading:
    """A look at a server process; of several processes the sums, the worst lag, and the first one's pid."""

    pid: int
    rss_bytes: int
    cpu_seconds: float
    loop_lag_worst_seconds: float
    connections: int


@dataclass(frozen=True, slots=True)
class HeapReading:
    """All objects on the heap of a server process; the tasks of its event loop tell what was going on meanwhile."""

    size_bytes: int
    tasks: int


class ProbeClient:
    """Asks the probe inside a server process."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.url = url
        self._session = session

    async def read(self) -> ProcessReading:
        """Memory, CPU time, worst loop lag since the last reset, connections."""
        return ProcessReading(**await self._ask("GET", "/reading"))

    async def internal(self, path: str) -> str:
        """What the server tells operators at `/readyz` or `/metrics`."""
        url = (await self._ask("GET", "/internal"))["url"]
        async with self._session.get(url + path) as response:
            return await response.text()

    async def counts(self) -> process_probe.Counts:
        """Emits, SQL statements and errors since the last reset."""
        return process_probe.Counts(**(await self._ask("GET", "/counts"))["counts"])

    async def reset(self) -> None:
        """Starts counting anew."""
        await self._ask("POST", "/reset")

    async def heap(self) -> HeapReading:
        """The heap is walked for this, so the server stands still for some tenths of a second."""
        return HeapReading(**await self._ask("GET", "/heap"))

    async def dead_ids_held(self, ids: Sequence[str]) -> tuple[int, int]:
        """How many of these ids the heap still holds, and by how many references."""
        found = await self.references(ids)
        return len(found), sum(found.values())

    async def fence(self, namespace: str, socket_ids: Sequence[str], mark: str) -> None:
        """Has the process emit `FENCE` to these sockets, behind all it has emitted so far."""
        await self._ask("POST", "/fence", {"namespace": namespace, "ids": list(socket_ids), "mark": mark})

    async def references(self, ids: Sequence[str]) -> dict[str, int]:
        """By id how many references the heap has to it, of those it holds."""
        found: dict[str, int] = await self._ask("POST", "/ids", {"ids": list(ids)})
        return found

    async def unreached(self) -> dict[str, int]:
        """By address how often something was emitted to it since the last reset with no live socket here behind it."""
        found: dict[str, int] = (await self._ask("GET", "/counts"))["unreached"]
        return found

    async def live(self, addresses: Sequence[str]) -> list[str]:
        """Those of these addresses, as `unreached` names them, that have a live socket here now."""
        found: list[str] = await self._ask("POST", "/live", {"addresses": list(addresses)})
        return found

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        async with self._session.request(method, self.url + path, json=body) as response:
            response.raise_for_status()
            return await response.json()


class FleetProbeClient:
    """The same questions to several processes that are one server."""

    def __init__(self, probes: Sequence[ProbeClient]) -> None:
        self._probes = probes

    async def read(self) -> ProcessReading:
        """Sums; the worst lag; the first one's pid."""
        told = await asyncio.gather(*(probe.read() for probe in self._probes))
        return ProcessReading(
            pid=told[0].pid,
            rss_bytes=sum(one.rss_bytes for one in told),
            cpu_seconds=sum(one.cpu_seconds for one in told),
            loop_lag_worst_seconds=max(one.loop_lag_worst_seconds for one in told),
            connections=sum(one.connections for one in told),
        )

    async def counts(self) -> process_probe.Counts:
        """Sums. A ghost is an address that no process has a live socket for, as far as is known when this is asked."""
        told = await asyncio.gather(*(probe.counts() for probe in self._probes))
        counts = process_probe.Counts(*map(sum, zip(*map(astuple, told), strict=True)))
        counts.ghost_addresses = await self._ghosts()
        return counts

    async def reset(self) -> None:
        """Starts counting anew."""
        await asyncio.gather(*(probe.reset() for probe in self._probes))

    async def heap(self) -> HeapReading:
        """Sums."""
        told = await asyncio.gather(*(probe.heap() for probe in self._probes))
        return HeapReading(sum(one.size_bytes for one in told), sum(one.tasks for one in told))

    async def dead_ids_held(self, ids: Sequence[str]) -> tuple[int, int]:
        """How many of these ids are held on any of the heaps, and by how many references in all."""
        found: Counter[str] = Counter()
        for references in await asyncio.gather(*(probe.references(ids) for probe in self._probes)):
            found.update(references)
        return len(found), found.total()

    async def fence(self, namespace: str, socket_ids: Sequence[str], mark: str) -> None:
        """Each process emits `FENCE` to these sockets, behind all it has emitted so far."""
        await asyncio.gather(*(probe.fence(namespace, socket_ids, mark) for probe in self._probes))

    async def _ghosts(self) -> int:
        unreached: Counter[str] = Counter()
        for found in await asyncio.gather(*(probe.unreached() for probe in self._probes)):
            unreached.update(found)
        live = await asyncio.gather(*(probe.live(list(unreached)) for probe in self._probes))
        elsewhere = {address for addresses in live for address in addresses}
        return sum(count for address, count in unreached.items() if address not in elsewhere)
