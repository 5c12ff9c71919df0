"""Reads the state of a server's processes over HTTP.

The state is the rooms, the database rows, the recorded calls of `emit`, and the levels of token buckets. Code of the
lab inside each server process answers.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lab.servers.probe_client import FleetProbeClient, ProbeClient


@dataclass(frozen=True, slots=True)
class Emit:
    """One recorded call of `emit` in a server process.

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

    `level` is the number of tokens. `was_taken` is False when the bucket had no token for the request. `at_seconds` is
    on the monotonic clock of the machine.
    """

    user: str
    level: float
    was_taken: bool
    at_seconds: float


class StateClient:
    """Client that reads the state of all processes of a server.

    It reads the rooms, the number of database rows, the recorded calls of `emit`, and the levels of token buckets.
    """

    def __init__(self, probe: ProbeClient | FleetProbeClient) -> None:
        self._probes = probe.probes

    async def occupants(self, namespace: str, room: str | None) -> dict[str, list[str]]:
        """Return the ids of the sockets in a room, with their rooms.

        The returned dict maps each socket id to all rooms of that socket in the namespace. If `room` is None, the dict
        contains all sockets of the namespace.
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

        Only the first server process is asked. The result has two keys. `records` maps the name of each attribute or
        database table, such as `socket_ids`, to what is stored in it. `reports` maps the id of each unfinished slow
        job to the rooms that will receive its result.
        """
        found: dict[str, Any] = await self._probes[0].ask("POST", "/records", {"namespace": namespace})
        return found

    async def hold_reports(self) -> None:
        """Let the server delay all reports, which are slow jobs.

        They wait until `release_reports` is called. The delay simulates a slow outside service.
        """
        await asyncio.gather(*(probe.ask("POST", "/hold") for probe in self._probes))

    async def release_reports(self) -> None:
        """Let the server run the slow jobs that `hold_reports` has delayed.

        Jobs that are requested later are still delayed.
        """
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

        The first `since` emits of each process are left out.
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

    async def level_now(self, user: str) -> float | None:
        """Return the present level of the user's token bucket.

        `user` must be among the `users` of the last call of `record_levels`. With several processes, the lowest level
        is returned. The result is None if the user has no token bucket.
        """
        found = await asyncio.gather(*(probe.ask("GET", "/levels/now") for probe in self._probes))
        return min((levels[user] for levels in found if user in levels), default=None)
