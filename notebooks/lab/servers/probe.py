"""Probe that measures a server process without changing the server's code.

The probe runs in the process of the server, and treats the bad and the good server the same. It listens on its own
loopback port, and counts calls of public functions of libraries.
"""

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import psutil
import socketio
import structlog
from aiohttp import web

from lab.servers.bucket_levels import BucketLevels
from lab.servers.heap import heap_bytes, ids_held
from lab.servers.own_records import OwnRecords
from lab.servers.server_state import ServerState

LAG_TICK_SECONDS = 0.005
# the event that `fence` emits: a client that receives it has received all earlier emits of the process
FENCE = "lab:fence"
SQL_STATEMENTS = ("SELECT", "INSERT", "DELETE", "UPDATE")


@dataclass
class Counts:
    """Counts of a server process since the last reset.

    An address is a room in a namespace. `addresses` counts the addresses of all emits. `ghost_addresses` counts only
    addresses that had no live socket at the time of the emit.
    """

    emits: int = 0
    addresses: int = 0
    ghost_addresses: int = 0
    sql_statements: int = 0
    errors_logged: int = 0


class _ErrorCounter(logging.Handler):
    def __init__(self, probe: "ProcessProbe") -> None:
        super().__init__(logging.ERROR)
        self._probe = probe

    def emit(self, record: logging.LogRecord) -> None:
        self._probe.counts.errors_logged += 1


class ProcessProbe:
    """Measures and inspects the server process in which it runs."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.state = ServerState()
        self._levels = BucketLevels()
        self._records = OwnRecords(self.state)
        # by address, the emits for which this process has no socket; another process may have one
        self._unreached: Counter[str] = Counter()
        # address of the server's health checks and metrics
        self.internal_url = ""
        self._sio: Any = None
        self._emit: Any = None
        self._worst_lag_seconds = 0.0
        # how often the loop has woken the task that measures the lag
        self._loop_turns = 0
        # time for which the probe itself blocked the loop; it is not part of the server's lag
        self._probe_seconds = 0.0
        self._process = psutil.Process()

    def install(self) -> None:
        """Install the hooks that count emits, SQL statements and logged errors."""
        original_emit = self._emit = socketio.AsyncServer.emit
        original_connect = sqlite3.connect

        async def emit(sio: Any, event: str, data: Any = None, to: Any = None, room: Any = None, **rest: Any) -> None:
            self._count_emit(event, to or room, rest.get("namespace") or "/")
            await original_emit(sio, event, data, to=to, room=room, **rest)

        def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = original_connect(*args, **kwargs)
            connection.set_trace_callback(self._count_sql)
            self.state.databases.append(connection)
            return connection

        self._levels.install()
        self._records.install()
        socketio.AsyncServer.emit = emit
        sqlite3.connect = connect  # type: ignore[assignment]
        logging.getLogger().addHandler(_ErrorCounter(self))
        # the server does not log through the standard library
        watch_log(self._count_error)

    def attach(self, sio: socketio.AsyncServer) -> None:
        """Set the Socket.IO server whose rooms and connections the probe inspects."""
        self._sio = self.state.sio = sio

    def _count_emit(self, event: str, target: Any, namespace: str) -> None:
        rooms = target if isinstance(target, list | tuple) else [target]
        unreached = [room for room in rooms if not self.state.is_live(namespace, room)]
        self.counts.emits += 1
        self.counts.addresses += len(rooms)
        self.counts.ghost_addresses += len(unreached)
        self._unreached.update(f"{namespace} {room}" for room in unreached)
        self.state.record_emit(event, rooms, len(rooms) - len(unreached))

    def _count_error(self, method: str, _: Any) -> None:
        self.counts.errors_logged += method in ("error", "critical", "exception")

    def _count_sql(self, statement: str) -> None:
        if not self.state.is_counting_rows:
            self.counts.sql_statements += statement.lstrip().upper().startswith(SQL_STATEMENTS)

    async def watch_lag(self) -> None:
        """Measure repeatedly how late the server's event loop wakes, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due, probe_seconds_before = loop.time() + LAG_TICK_SECONDS, self._probe_seconds
            await asyncio.sleep(LAG_TICK_SECONDS)
            lag = loop.time() - due - (self._probe_seconds - probe_seconds_before)
            self._worst_lag_seconds = max(self._worst_lag_seconds, lag)
            self._loop_turns += 1

    @contextlib.contextmanager
    def _excluded_from_lag(self) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self._probe_seconds += time.perf_counter() - started

    def app(self) -> web.Application:
        """Return the web application through which the lab reads the measurements."""
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_get("/answer", self._answer)
        app.router.add_get("/reading", self._reading)
        app.router.add_get("/counts", self._counts)
        app.router.add_get("/internal", self._internal)
        app.router.add_post("/reset", self._reset)
        app.router.add_get("/heap", self._heap)
        app.router.add_post("/ids", self._ids)
        app.router.add_post("/fence", self._fence)
        self.state.add_routes(app)
        self._levels.add_routes(app)
        self._records.add_routes(app)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        return web.json_response({"loop_turns": self._loop_turns})

    async def _reading(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "pid": self._process.pid,
                "rss_bytes": self._process.memory_info().rss,
                # of the whole process; psutil's CPU times have a resolution of only 10 ms
                "cpu_seconds": time.process_time(),
                "loop_lag_worst_seconds": self._worst_lag_seconds,
                "connections": len(self._sio.eio.sockets),
            }
        )

    async def _internal(self, request: web.Request) -> web.Response:
        return web.json_response({"url": self.internal_url})

    async def _counts(self, request: web.Request) -> web.Response:
        return web.json_response({"counts": asdict(self.counts), "unreached": self._unreached})

    async def _reset(self, request: web.Request) -> web.Response:
        self.counts = Counts()
        self._unreached.clear()
        self._worst_lag_seconds = 0.0
        return web.json_response({})

    async def _heap(self, request: web.Request) -> web.Response:
        tasks = len(asyncio.all_tasks())
        with self._excluded_from_lag():
            size_bytes = heap_bytes()
        return web.json_response({"size_bytes": size_bytes, "tasks": tasks})

    async def _ids(self, request: web.Request) -> web.Response:
        ids = (await request.json())["ids"]
        with self._excluded_from_lag():
            found = ids_held(ids, ignored=[ids, self._unreached, *self.state.containers(), *self._records.containers()])
        return web.json_response(found)

    async def _fence(self, request: web.Request) -> web.Response:
        body = await request.json()
        await self._emit(self._sio, FENCE, {"mark": body["mark"]}, to=body["ids"], namespace=body["namespace"])
        # another process may still reference the last message that it received: let that be one without our ids
        await self._emit(self._sio, FENCE, None, to=[FENCE], namespace=body["namespace"])
        return web.json_response({})


def watch_log(observe: Callable[[str, structlog.typing.EventDict], None]) -> None:
    """Call `observe(method, entry)` for each line that the server logs.

    `method` is the name of the log method, such as `warning`, and `entry` is the dict of logged values.
    """

    def pass_on(_: Any, method: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
        observe(method, entry)
        return entry

    structlog.configure(processors=[pass_on, *structlog.get_config()["processors"]])
