"""Answers for server processes: started fresh, killed, started again on the same port, and ended on every path."""

import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import aiohttp
import jwt

from good_server.settings import DEVELOPMENT_SECRET, Settings
from lab import probe as process_probe
from lab.look import Probe, Probes
from lab.processes import process_context, start_process, to_the_end

if TYPE_CHECKING:
    from lab.fleet import Fleet

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


class Server:
    """One server process; made by `running`."""

    redis = None

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
    def processes(self) -> "Sequence[Server]":
        """This one."""
        return (self,)

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
        return Target.of(self, lesson)


@dataclass(frozen=True)
class Target:
    """All that a scenario knows of a server: where its processes are, and how to make tokens it accepts."""

    ports: tuple[int, ...]
    namespace: str
    server: "Server | Fleet"

    @classmethod
    def of(cls, server: "Server | Fleet", lesson: int) -> "Target":
        """The server as a lesson sees it."""
        namespace = f"/mistake-{lesson:02}" if server.side == "bad" else "/"
        return cls(tuple(process.port for process in server.processes), namespace, server)

    @property
    def port(self) -> int:
        """The public port; of several processes the first one's."""
        return self.ports[0]

    @property
    def url(self) -> str:
        """The public address of that port."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def probe(self) -> Probe | Probes:
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


@overload
def running(side: str, *, settings: Mapping[str, str] | None = None) -> AbstractAsyncContextManager[Server]: ...


@overload
def running(
    side: str, *, workers: int, settings: Mapping[str, str] | None = None, makes_reports: bool = False
) -> AbstractAsyncContextManager["Server | Fleet"]: ...


def running(
    side: str, *, workers: int = 1, settings: Mapping[str, str] | None = None, makes_reports: bool = False
) -> AbstractAsyncContextManager["Server | Fleet"]:
    """A fresh server: `good`, `bad`, or an app as `module:function`. It is gone when the block ends.

    With several workers it is as many processes with a Redis between them, and where it `makes_reports` a process more
    for those, which one process makes by itself; raises `UsageError` where there is no redis-server.
    """
    if workers == 1:
        return _running(Server(side, settings or {}))
    # here, as most measurements need one process alone
    from lab.fleet import Fleet

    return _running(Fleet(side, settings or {}, workers, makes_reports=makes_reports))


@asynccontextmanager
async def _running(server: "Server | Fleet") -> AsyncIterator["Server | Fleet"]:
    try:
        await server.start()
        yield server
    finally:
        await to_the_end(server.stop())
