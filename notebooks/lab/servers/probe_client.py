"""Asks the probes inside server processes for their measurements.

A probe is code of the lab that measures the process in which it runs, and answers over HTTP. Every request to a probe
has a time limit. A server that does not answer in time is normally killed.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import astuple, dataclass
from typing import Any, TypeVar

import aiohttp

from lab.servers import probe as process_probe

Answer = TypeVar("Answer")

# a walk over a large heap takes a second, and the handlers of the bad server block its event loop for a few seconds
ANSWER_SECONDS = 20.0
# a connection of its own, so that this question changes nothing that the probe measures
ALONE = {"Connection": "close"}


class SilentServerError(Exception):
    """A server process did not answer the lab in time.

    The error message is one line.
    """


@dataclass(frozen=True, slots=True)
class ProcessReading:
    """Memory, CPU time, event loop lag and connections of a server process.

    A reading can also be about several processes. Then memory, CPU time and connections are sums, the lag is the worst
    of all processes, and `pid` is the process id of the first process.
    """

    pid: int
    rss_bytes: int
    cpu_seconds: float
    loop_lag_worst_seconds: float
    connections: int


@dataclass(frozen=True, slots=True)
class HeapReading:
    """Heap size of a server process, and its number of tasks.

    `tasks` is the number of asyncio tasks at the time of the measurement.
    """

    size_bytes: int
    tasks: int


async def leave_silent(seconds: float) -> SilentServerError:
    """Return the error for a server that does not answer the lab.

    `seconds` is how long the server did not answer. This function does not kill the server. It is the default value of
    `kill_silent` in `ProbeClient`, for a server that another process has started and watches.
    """
    return SilentServerError(f"the server did not answer its probe for {seconds:.0f} s")


class ProbeClient:
    """Client of the probe, which measures a server process from inside.

    When the server does not answer in time, each method calls `kill_silent(seconds)`, where `seconds` is the time
    limit. `kill_silent` normally kills the server process. It returns a `SilentServerError`, which the method raises.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        kill_silent: Callable[[float], Awaitable[SilentServerError]] = leave_silent,
    ) -> None:
        self.url = url
        self._session = session
        self._kill_silent = kill_silent

    @property
    def probes(self) -> "Sequence[ProbeClient]":
        """The probe clients of all server processes: only this one.

        The same attribute of a `FleetProbeClient` has one client per server process.
        """
        return (self,)

    async def expect_answer(self, timeout: float) -> None:
        """Check that the server answers within `timeout` seconds, else raise `SilentServerError`."""
        await self.ask("GET", "/answer", headers=ALONE, timeout=timeout)

    async def read(self) -> ProcessReading:
        """Return the memory, CPU time, connections and worst lag of the process.

        The lag is the worst lag of the event loop since the last `reset`.
        """
        return ProcessReading(**await self.ask("GET", "/reading"))

    async def internal(self, path: str) -> str:
        """Return the server's response at an internal path, `/readyz` or `/metrics`."""
        url = (await self.ask("GET", "/internal"))["url"]
        return await self._within(ANSWER_SECONDS, self._text(url + path))

    async def counts(self) -> process_probe.Counts:
        """Return the process's counts of emits, SQL statements and logged errors.

        The counts start at the last `reset`.
        """
        return process_probe.Counts(**(await self.ask("GET", "/counts"))["counts"])

    async def reset(self) -> None:
        """Set the emit, SQL and error counts and the lag to zero."""
        await self.ask("POST", "/reset")

    async def heap(self) -> HeapReading:
        """Measure the heap of the server process.

        Returns its size and the number of asyncio tasks. The call blocks the server for some tenths of a second.
        """
        return HeapReading(**await self.ask("GET", "/heap"))

    async def dead_ids_held(self, ids: Sequence[str]) -> tuple[int, int]:
        """Return how many of these socket ids are on the server's heap.

        The second number of the tuple is how many references the heap has to these ids.
        """
        found = await self.references(ids)
        return len(found), sum(found.values())

    async def fence(self, namespace: str, socket_ids: Sequence[str], mark: str) -> None:
        """Let the server process emit the event `FENCE` to these sockets.

        A client that has received this event has received all earlier emits of the process, so the lab can wait for
        this event. The event contains `mark`, so that a client can distinguish several of these events.
        """
        await self.ask("POST", "/fence", {"namespace": namespace, "ids": list(socket_ids), "mark": mark})

    async def references(self, ids: Sequence[str]) -> dict[str, int]:
        """Return how many references to each of `ids` the heap has.

        The returned dict leaves out the ids without a reference.
        """
        found: dict[str, int] = await self.ask("POST", "/ids", {"ids": list(ids)})
        return found

    async def unreached(self) -> dict[str, int]:
        """Return the number of emits to each address without a live socket.

        An address is a namespace and a room in one string, such as `/ user:7`. An emit counts if the address had no
        live socket of this process at the time of the emit. Only emits since the last `reset` count.
        """
        found: dict[str, int] = (await self.ask("GET", "/counts"))["unreached"]
        return found

    async def live(self, addresses: Sequence[str]) -> list[str]:
        """Return which of `addresses` have a live socket in the server process.

        An address is a namespace and a room in one string, such as `/ user:7`.
        """
        found: list[str] = await self.ask("POST", "/live", {"addresses": list(addresses)})
        return found

    async def ask(self, method: str, path: str, body: Any = None, *, timeout: float | None = None, **more: Any) -> Any:
        """Send a request to the probe and return its parsed JSON answer.

        `timeout` is in seconds; the default is `ANSWER_SECONDS`. `more` are further arguments for the request method of
        aiohttp. Raises `SilentServerError` if the probe, which is in the server process, does not answer in time.
        """
        return await self._within(timeout or ANSWER_SECONDS, self._json(method, path, json=body, **more))

    async def _json(self, method: str, path: str, **options: Any) -> Any:
        async with self._session.request(method, self.url + path, **options) as response:
            response.raise_for_status()
            return await response.json()

    async def _text(self, url: str) -> str:
        async with self._session.get(url) as response:
            return await response.text()

    async def _within(self, seconds: float, answer: Awaitable[Answer]) -> Answer:
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:
            raise await self._kill_silent(seconds) from None


class FleetProbeClient:
    """Client of the probes, which measure all processes of one server."""

    def __init__(self, probes: Sequence[ProbeClient]) -> None:
        self.probes = probes

    async def read(self) -> ProcessReading:
        """Return the readings of all server processes as one reading.

        Memory, CPU time and connections are sums. The lag is the worst of all processes. `pid` is the id of the first
        process.
        """
        readings = await asyncio.gather(*(probe.read() for probe in self.probes))
        return ProcessReading(
            pid=readings[0].pid,
            rss_bytes=sum(reading.rss_bytes for reading in readings),
            cpu_seconds=sum(reading.cpu_seconds for reading in readings),
            loop_lag_worst_seconds=max(reading.loop_lag_worst_seconds for reading in readings),
            connections=sum(reading.connections for reading in readings),
        )

    async def counts(self) -> process_probe.Counts:
        """Return the emit, SQL and error counts, summed over all processes.

        `ghost_addresses` counts only addresses (a room in a namespace) for which no process has a live socket at the
        time of this call.
        """
        readings = await asyncio.gather(*(probe.counts() for probe in self.probes))
        counts = process_probe.Counts(*map(sum, zip(*map(astuple, readings), strict=True)))
        counts.ghost_addresses = await self._ghosts()
        return counts

    async def reset(self) -> None:
        """Set the counts and worst lag of all server processes to zero."""
        await asyncio.gather(*(probe.reset() for probe in self.probes))

    async def heap(self) -> HeapReading:
        """Measure the heaps of all server processes and return the sums."""
        readings = await asyncio.gather(*(probe.heap() for probe in self.probes))
        return HeapReading(sum(reading.size_bytes for reading in readings), sum(reading.tasks for reading in readings))

    async def dead_ids_held(self, ids: Sequence[str]) -> tuple[int, int]:
        """Return how many of these socket ids are on any process's heap.

        An id on several heaps counts once. The second number of the tuple is how many references all heaps have to
        these ids.
        """
        found: Counter[str] = Counter()
        for references in await asyncio.gather(*(probe.references(ids) for probe in self.probes)):
            found.update(references)
        return len(found), found.total()

    async def fence(self, namespace: str, socket_ids: Sequence[str], mark: str) -> None:
        """Let each server process emit the event `FENCE` to these sockets.

        A client that has received the event of a process has received all earlier emits of that process, so the lab can
        wait for this event. The event contains `mark`, so that a client can distinguish several of these events.
        """
        await asyncio.gather(*(probe.fence(namespace, socket_ids, mark) for probe in self.probes))

    async def _ghosts(self) -> int:
        unreached: Counter[str] = Counter()
        for found in await asyncio.gather(*(probe.unreached() for probe in self.probes)):
            unreached.update(found)
        live = await asyncio.gather(*(probe.live(list(unreached)) for probe in self.probes))
        live_addresses = {address for addresses in live for address in addresses}
        return sum(count for address, count in unreached.items() if address not in live_addresses)
