"""Asks a server's probes for rooms, database rows and emits."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True, slots=True)
class BucketLevel:
    """The level of a user's token bucket just after one request.

    `was_taken` is False when the bucket had no token for the request. `at_seconds` is on the same clock as that of an
    `Emit`.
    """

    user: str
    level: float
    was_taken: bool
    at_seconds: float


class StateClient:
    """Client that reads the rooms and emits inside a server's processes.

    It also reads the number of database rows, and the levels of token buckets.
    """

    def __init__(self, probe: ProbeClient | FleetProbeClient) -> None:
        self._probes = probe.probes

    async def occupants(self, namespace: str, room: str | None) -> dict[str, list[str]]:
        """Return the ids of the sockets in a room, with their rooms.

        The dict maps each socket id to all rooms of that socket in the namespace. None means all sockets.
        """
        body = {"namespace": namespace, "room": room}
        found = await asyncio.gather(*(probe.ask("POST", "/occupants", body) for probe in self._probes))
        return {sid: rooms for sids in found for sid, rooms in sids.items()}

    async def occupied(self, namespace: str, rooms: Sequence[str]) -> list[str]:
        """Return which of `rooms` hold at least one live socket now."""
        addresses = [f"{namespace} {room}" for room in rooms]
        live = await asyncio.gather(*(probe.live(addresses) for probe in self._probes))
        held = {address for found in live for address in found}
        return [room for room, address in zip(rooms, addresses, strict=True) if address in held]

    async def records(self, namespace: str) -> dict[str, Any]:
        """Return what the handlers of a namespace have stored about their clients.

        Only the first server process is asked. The key `records` has a dict from the name of each attribute, such as
        `socket_ids`, to what is stored in it. The key `reports` has a dict from each job that is being done to the
        rooms that will receive its report.
        """
        found: dict[str, Any] = await self._probes[0].ask("POST", "/records", {"namespace": namespace})
        return found

    async def hold_reports(self) -> None:
        """Let new reports wait until `release_reports`, like a slow outside service."""
        await asyncio.gather(*(probe.ask("POST", "/hold") for probe in self._probes))

    async def release_reports(self) -> None:
        """Let the reports that wait now be made."""
        await asyncio.gather(*(probe.ask("POST", "/release") for probe in self._probes))

    async def rows(self) -> int:
        """Return the number of rows in the databases that the server opened.

        The processes of one server share their databases, so each row counts only once.
        """
        return max(map(int, await asyncio.gather(*(probe.ask("GET", "/rows") for probe in self._probes))))

    async def record_emits(self) -> None:
        """Start to record every emit; an earlier recording is discarded."""
        await asyncio.gather(*(probe.ask("POST", "/emits") for probe in self._probes))

    async def emits(self, *, since: int = 0) -> list[Emit]:
        """Return the emits since the call of `record_emits`, oldest first.

        `since` leaves out that many of the first emits of each process.
        """
        found = await asyncio.gather(*(probe.ask("GET", f"/emits?since={since}") for probe in self._probes))
        emits = [
            Emit(emit["event"], tuple(emit["rooms"]), emit["reached"], emit["at_seconds"])
            for recorded in found
            for emit in recorded
        ]
        return sorted(emits, key=lambda emit: emit.at_seconds)

    async def record_levels(self, kind: str, users: Sequence[str]) -> None:
        """Start to record the levels of the users' token buckets.

        `kind` is the kind of rate limit, such as `chat`.
        """
        body = {"kind": kind, "users": list(users)}
        await asyncio.gather(*(probe.ask("POST", "/levels", body) for probe in self._probes))

    async def levels(self) -> list[BucketLevel]:
        """Return the recorded levels of token buckets, oldest first.

        The recording began with the call of `record_levels`. The list is empty for a server without token buckets.
        """
        found = await asyncio.gather(*(probe.ask("GET", "/levels") for probe in self._probes))
        levels = [BucketLevel(**level) for recorded in found for level in recorded]
        return sorted(levels, key=lambda level: level.at_seconds)
