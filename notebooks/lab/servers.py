"""Answers for server processes: started fresh, killed, started again on the same port, and ended on every path."""

import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import aiohttp
import jwt

from good_server.settings import DEVELOPMENT_SECRET, Settings
from lab import probe as process_probe
from lab.processes import process_context, start_process, to_the_end

START_SECONDS = 30.0
END_SECONDS = 5.0
APPS = {"good": "good_server.app:create_app", "bad": "bad_server.app:create_app"}
# short heartbeats, so that a half-open peer is gone within about three seconds
PLUMBING = {
    "SERVER_PORT": "0",
    "SERVER_INTERNAL_PORT": "0",
    "SERVER_PING_INTERVAL_SECONDS": "1",
    "SERVER_PING_TIMEOUT_SECONDS": "1",
}


class ServerError(Exception):
    """A server process did not start; the message is one line that says why."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A look at a server process."""

    pid: int
    rss_bytes: int
    cpu_seconds: float
    loop_lag_worst_seconds: float
    connections: int


@dataclass(frozen=True, slots=True)
class Heap:
    """All objects on the heap of a server process; the tasks of its event loop tell what was going on meanwhile."""

    size_bytes: int
    tasks: int


class Probe:
    """Asks the probe inside a server process."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def read(self) -> Reading:
        """Memory, CPU time, worst loop lag since the last reset, connections."""
        return Reading(**await self._ask("GET", "/reading"))

    async def counts(self) -> process_probe.Counts:
        """Emits, SQL statements and errors since the last reset."""
        return process_probe.Counts(**await self._ask("GET", "/counts"))

    async def reset(self) -> None:
        """Starts counting anew."""
        await self._ask("POST", "/reset")

    async def heap(self) -> Heap:
        """The heap is walked for this, so the server stands still for some tenths of a second."""
        return Heap(**await self._ask("GET", "/heap"))

    async def dead_ids_held(self, ids: Sequence[str]) -> tuple[int, int]:
        """How many of these ids the heap still holds, and by how many references."""
        answer = await self._ask("POST", "/ids", {"ids": list(ids)})
        return answer["held"], answer["references"]

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        async with self._session.request(method, self._url + path, json=body) as response:
            response.raise_for_status()
            return await response.json()


class Server:
    """One server process; made by `running`."""

    def __init__(self, side: str, settings: Mapping[str, str]) -> None:
        self.side = side
        self.url = ""
        self._app = APPS.get(side, side)
        self._settings = {**PLUMBING, **settings}
        self._process: BaseProcess | None = None
        self._session: aiohttp.ClientSession | None = None
        self._probe: Probe | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="lab-")
        self._log = Path(self._folder.name) / "server.log"
        # what mistake 04 wrote has to be there again after a kill
        self._settings.setdefault("BAD_DATABASE", str(Path(self._folder.name) / "members.db"))

    @property
    def port(self) -> int:
        """The public port."""
        return int(self.url.rpartition(":")[2])

    @property
    def probe(self) -> Probe:
        """The probe beside the server."""
        if self._probe is None:
            raise ServerError("the server has not been started")
        return self._probe

    async def start(self) -> None:
        """Raises `ServerError` when it is not ready in time."""
        receiving, sending = multiprocessing.Pipe(duplex=False)
        arguments = (self._app, self._settings, str(self._log), sending)
        process = process_context().Process(target=process_probe.run, args=arguments, daemon=True)  # type: ignore[attr-defined]
        self._process = process
        with receiving:
            with sending:
                await start_process(process)
            answer = await self._answer(receiving)
        if answer[0] != "ready":
            await self._end()
            raise ServerError(f"the {self.side} server did not start: {answer[1]}")
        self.url = answer[1]
        self._session = self._session or aiohttp.ClientSession()
        self._probe = Probe(self._session, answer[2])

    async def _answer(self, pipe: Connection) -> tuple[str, ...]:
        try:
            if await asyncio.to_thread(pipe.poll, START_SECONDS):
                answer: tuple[str, ...] = pipe.recv()
                return answer
        except EOFError:
            tail = self._log.read_text(errors="replace").strip().splitlines()[-1:]
            return ("failed", tail[0] if tail else "it ended without a word")
        return ("failed", f"no answer in {START_SECONDS:.0f} s")

    async def kill(self) -> None:
        """Ends it as a power cut would: SIGKILL."""
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.join, END_SECONDS)

    async def start_again(self) -> None:
        """The same server on the same port."""
        self._settings["SERVER_PORT"] = str(self.port)
        await self.start()

    async def stop(self) -> None:
        """Ends it in order, or by force where that takes too long; leaves nothing behind."""
        if self._session is not None:
            await self._session.close()
        await self._end()
        self._folder.cleanup()

    async def _end(self) -> None:
        if self._process is None or self._process.pid is None:
            return
        self._process.terminate()
        await asyncio.to_thread(self._process.join, END_SECONDS)
        if self._process.is_alive():
            await self.kill()
        self._process = None

    def target(self, lesson: int) -> "Target":
        """What a scenario is given: the namespace of the lesson on the bad server, `/` on any other."""
        namespace = f"/mistake-{lesson:02}" if self.side == "bad" else "/"
        return Target(self.url, self.port, namespace, self)


@dataclass(frozen=True)
class Target:
    """All that a scenario knows of a server: where it is, and how to make tokens it accepts."""

    url: str
    port: int
    namespace: str
    server: Server

    @property
    def probe(self) -> Probe:
        """The probe beside the server."""
        return self.server.probe

    def token(self, user: str, role: str = "vendor", *, company: str | None = None, rooms: Sequence[str] = ()) -> str:
        """A token by the contract, signed with the published development secret."""
        defaults = Settings.model_fields
        now = int(time.time())
        claims: dict[str, Any] = {"sub": user, "role": role, "iat": now, "exp": now + 3600, "rooms": list(rooms)}
        claims |= {"company": company} if company is not None else {}
        claims |= {"iss": defaults["jwt_issuer"].default, "aud": defaults["jwt_audience"].default}
        return jwt.encode(claims, DEVELOPMENT_SECRET, algorithm="HS256", headers={"typ": "at+jwt"})


@asynccontextmanager
async def running(side: str, *, settings: Mapping[str, str] | None = None) -> AsyncIterator[Server]:
    """A fresh server process: `good`, `bad`, or an app as `module:function`. It is gone when the block ends."""
    server = Server(side, settings or {})
    try:
        await server.start()
        yield server
    finally:
        await to_the_end(server.stop())
