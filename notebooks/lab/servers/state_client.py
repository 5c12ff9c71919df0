"""Asks the probes of a server for its rooms, database rows and emits."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from lab.servers.probe_client import FleetProbeClient, ProbeClient


@dataclass(frozen=True, slots=True)
class Emit:
    """One emit of a server process.

    `reached` is how many of its `rooms` held a live socket of this process. `at_seconds` is on the monotonic clock of
    the machine, which is also the clock of the clients' event loop.
    """

    event: str
    rooms: tuple[str, ...]
    reached: int
    at_seconds: float


class StateClient:
    """Client that reads the state inside all processes of one server."""

    def __init__(self, probe: ProbeClient | FleetProbeClient) -> None:
        self._probes = probe.probes

    async def occupants(self, namespace: str, room: str) -> list[str]:
        """Return the Socket.IO ids of the sockets that are in a room now."""
        body = {"namespace": namespace, "room": room}
        found = await asyncio.gather(*(probe.ask("POST", "/occupants", body) for probe in self._probes))
        return [sid for sids in found for sid in sids]

    async def occupied(self, namespace: str, rooms: Sequence[str]) -> list[str]:
        """Return which of `rooms` hold at least one live socket now."""
        addresses = [f"{namespace} {room}" for room in rooms]
        live = await asyncio.gather(*(probe.live(addresses) for probe in self._probes))
        held = {address for found in live for address in found}
        return [room for room, address in zip(rooms, addresses, strict=True) if address in held]

    async def rows(self) -> int:
        """Return the number of rows in the databases that the server opened.

        The processes of one server share their databases, so it is the number of any of them.
        """
        return max(await asyncio.gather(*(probe.ask("GET", "/rows") for probe in self._probes)))

    async def record_emits(self) -> None:
        """Start to record every emit; an earlier recording is discarded."""
        await asyncio.gather(*(probe.ask("POST", "/emits") for probe in self._probes))

    async def emits(self) -> list[Emit]:
        """Return the emits since `record_emits`, in the order of time."""
        found = await asyncio.gather(*(probe.ask("GET", "/emits") for probe in self._probes))
        emits = [
            Emit(emit["event"], tuple(emit["rooms"]), emit["reached"], emit["at_seconds"])
            for recorded in found
            for emit in recorded
        ]
        return sorted(emits, key=lambda emit: emit.at_seconds)
