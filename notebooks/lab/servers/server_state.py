"""Reads the state of a server process: rooms, database rows, recorded emits."""

import sqlite3
import time
from collections.abc import Sequence
from typing import Any

from aiohttp import web

# the longest recording; a scenario that records emits makes a few hundred
MOST_EMITS = 20_000


class ServerState:
    """Reads the rooms, database rows and recorded emits of a server process.

    This code runs inside that process. The lab asks for the state over HTTP, through the routes that `add_routes` adds.
    """

    def __init__(self) -> None:
        # None until a scenario asks to record
        self.emits: list[dict[str, Any]] | None = None
        self.databases: list[sqlite3.Connection] = []
        # while the probe's own SQL runs, which does not count as the server's
        self.is_counting_rows = False
        self.sio: Any = None

    def add_routes(self, app: web.Application) -> None:
        """Add the HTTP routes with which the lab reads this state.

        The lab can ask for the rooms, the number of database rows, and the recorded emits.
        """
        app.router.add_post("/live", self._live)
        app.router.add_post("/occupants", self._occupants)
        app.router.add_get("/rows", self._rows)
        app.router.add_post("/emits", self._record)
        app.router.add_get("/emits", self._emits)

    def is_live(self, namespace: str, room: Any) -> bool:
        """Tell whether a room holds at least one socket of this process."""
        return any(True for _ in self.sio.manager.get_participants(namespace, room))

    def record_emit(self, event: str, rooms: Sequence[Any], reached: int) -> None:
        """Record one emit, if the lab has started a recording.

        `reached` is the number of `rooms` that hold a live socket. At most `MOST_EMITS` emits are recorded.
        """
        if self.emits is not None and len(self.emits) < MOST_EMITS:
            # one clock for all processes of a machine, so that clients can compare it with theirs
            now = time.monotonic()
            self.emits.append({"event": event, "rooms": list(rooms), "reached": reached, "at_seconds": now})

    def containers(self) -> list[Any]:
        """Return the containers that hold the recorded emits.

        They belong to the lab and not to the server, so a search of the server's heap must ignore them.
        """
        emits = self.emits or []
        return [emits, *emits, *(emit["rooms"] for emit in emits)]

    async def _live(self, request: web.Request) -> web.Response:
        addresses = (await request.json())["addresses"]
        return web.json_response([address for address in addresses if self.is_live(*address.split(" ", 1))])

    async def _occupants(self, request: web.Request) -> web.Response:
        body = await request.json()
        manager, namespace = self.sio.manager, body["namespace"]
        participants = manager.get_participants(namespace, body["room"])
        return web.json_response({sid: manager.get_rooms(sid, namespace) for sid, _ in list(participants)})

    async def _rows(self, request: web.Request) -> web.Response:
        self.is_counting_rows = True
        try:
            return web.json_response(sum(_count_rows(database) for database in self.databases))
        finally:
            self.is_counting_rows = False

    async def _record(self, request: web.Request) -> web.Response:
        self.emits = []
        return web.json_response({})

    async def _emits(self, request: web.Request) -> web.Response:
        return web.json_response((self.emits or [])[int(request.query.get("since", 0)) :])


def _count_rows(database: sqlite3.Connection) -> int:
    """Count the rows in all tables of a database."""
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return sum(int(database.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0]) for (name,) in tables)  # noqa: S608 - names of existing tables
