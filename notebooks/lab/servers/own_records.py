"""Reads what a server's own code stores about its clients.

The lab reads these records over HTTP. The records do not include the rooms of Socket.IO; `ServerState` reads the rooms.
"""

import asyncio
import sqlite3
from collections.abc import Set
from typing import Any

from aiohttp import web

from good_server.events import ReportKind, ReportReady
from good_server.reports.embedded import EmbeddedReports, ReportRunner
from good_server.rooms import Address
from lab.servers.server_state import ServerState


class OwnRecords:
    """Reads what the event handlers store, and the unfinished reports.

    The handlers are methods of one object per namespace. They store records in the public dicts, lists and sets of this
    object, and in the tables of its SQLite databases. A report is a slow job that a client has requested.
    """

    def __init__(self, state: ServerState) -> None:
        self._state = state
        # by job; the rooms that will receive the report
        self._reports: dict[str, list[str]] = {}
        # not set: reports wait, as if the outside service were slow
        self._may_run = asyncio.Event()
        self._may_run.set()

    def install(self) -> None:
        """Wrap `EmbeddedReports.request` and `ReportRunner.run` to record unfinished slow jobs.

        The wrapper of `run` can also delay the jobs.
        """
        request, run = EmbeddedReports.request, ReportRunner.run

        async def note_request(queue: EmbeddedReports, kind: ReportKind, size: int, to: Address) -> str:
            job = await request(queue, kind, size, to)
            self._reports[job] = list(to.rooms)
            return job

        async def note_end(runner: ReportRunner, job: str, kind: ReportKind, size: int) -> ReportReady:
            await self._may_run.wait()
            try:
                return await run(runner, job, kind, size)
            finally:
                self._reports.pop(job, None)

        EmbeddedReports.request = note_request  # type: ignore[assignment,method-assign]
        ReportRunner.run = note_end  # type: ignore[assignment,method-assign]

    def add_routes(self, app: web.Application) -> None:
        """Add the HTTP routes with which the lab reads what handlers store.

        With two more routes, the lab delays slow jobs that clients request, and then lets them run.
        """
        app.router.add_post("/records", self._records)
        app.router.add_post("/hold", self._hold)
        app.router.add_post("/release", self._release)

    def containers(self) -> list[Any]:
        """Return the containers in which this class records slow jobs.

        They belong to the lab and not to the server, so a search of the server's heap must ignore them.
        """
        return [self._reports, *self._reports.values()]

    async def _records(self, request: web.Request) -> web.Response:
        namespace = (await request.json())["namespace"]
        handlers = self._state.sio.namespace_handlers.get(namespace)
        found: dict[str, Any] = {}
        for name, value in vars(handlers).items() if handlers is not None else ():
            if isinstance(value, sqlite3.Connection):
                found |= self._tables(value)
            elif isinstance(value, dict | list | Set) and not name.startswith("_"):
                found[name] = _plain(value)
        return web.json_response({"records": found, "reports": self._reports})

    async def _hold(self, request: web.Request) -> web.Response:
        self._may_run.clear()
        return web.json_response({})

    async def _release(self, request: web.Request) -> web.Response:
        # lets those that wait now run, and no later ones
        self._may_run.set()
        self._may_run.clear()
        return web.json_response({})

    def _tables(self, database: sqlite3.Connection) -> dict[str, Any]:
        self._state.is_counting_rows = True
        try:
            names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            return {name: database.execute(f'SELECT * FROM "{name}" ORDER BY 1, 2').fetchall() for (name,) in names}  # noqa: S608 - names of existing tables
        finally:
            self._state.is_counting_rows = False


def _plain(value: Any) -> Any:
    """Convert a value to JSON types. A set becomes a sorted list, and an unknown object becomes a string."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Set):
        return sorted(map(str, value))
    return value if isinstance(value, int | float | bool) or value is None else str(value)
