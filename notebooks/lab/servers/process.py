"""A server of one process, which can be killed and started again."""

import asyncio
import contextlib
import multiprocessing
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import aiohttp

from lab.servers import probed_server
from lab.servers.probe_client import ANSWER_SECONDS, ProbeClient, SilentServerError
from lab.servers.target import Target
from lab.system.spawn import process_context, receive, start_process

START_SECONDS = 30.0
END_SECONDS = 5.0
# a server that no question is waiting for is asked this often whether it still answers
WATCH_SECONDS = 5.0
# after an error of a client, to find out whether the server is its cause
DOUBT_SECONDS = 5.0
APPS = {"good": "good_server.app:create_app", "bad": "bad_server.app:create_app"}
# short heartbeats, so that a half-open connection is closed within about three seconds
LAB_SETTINGS = {
    "SERVER_PORT": "0",
    "SERVER_INTERNAL_PORT": "0",
    "SERVER_PING_INTERVAL_SECONDS": "1",
    "SERVER_PING_TIMEOUT_SECONDS": "1",
}


class ServerError(Exception):
    """A server process did not start; the message is one line."""


class Server:
    """A server of one process: `good_server`, `bad_server` or another server.

    Create it with the function `running`.
    """

    redis = None

    def __init__(self, side: str, settings: Mapping[str, str]) -> None:
        self.side = side
        self.url = ""
        # why the process was killed, if it did not answer
        self.silence: SilentServerError | None = None
        self._app = APPS.get(side, side)
        self._settings = {**LAB_SETTINGS, **settings}
        self._process: BaseProcess | None = None
        self._session: aiohttp.ClientSession | None = None
        self._probe: ProbeClient | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="lab-")
        self._log = Path(self._folder.name) / "server.log"
        # the database of mistake 04 has to survive a kill
        self._settings.setdefault("BAD_DATABASE", str(Path(self._folder.name) / "members.db"))

    @property
    def port(self) -> int:
        """The public port of the server."""
        return int(self.url.rpartition(":")[2])

    @property
    def ports(self) -> tuple[int, ...]:
        """The public port of the server, in a tuple of one."""
        return (self.port,)

    @property
    def processes(self) -> "Sequence[Server]":
        """All processes of this server: only this one.

        The same attribute of a `Fleet` has several processes.
        """
        return (self,)

    @property
    def probe(self) -> ProbeClient:
        """The client that reads the measurements of the server process.

        Raises `ServerError` before the first start.
        """
        if self._probe is None:
            raise ServerError("the server has not been started")
        return self._probe

    async def start(self) -> None:
        """Start the server process and wait until it is ready.

        Raises `ServerError` when the process fails or takes too long.
        """
        receiving, sending = multiprocessing.Pipe(duplex=False)
        arguments = (self._app, self._settings, str(self._log), sending)
        process = process_context().Process(target=probed_server.run, args=arguments, daemon=True)  # type: ignore[attr-defined]
        self._process = process
        with sending:
            await start_process(process)
        answer = await self._wait_for_answer(receiving)
        if answer[0] != "ready":
            await self._end()
            raise ServerError(f"the {self.side} server did not start: {answer[1]}")
        self.url = answer[1]
        self._session = self._session or aiohttp.ClientSession()
        self._probe = ProbeClient(self._session, answer[2], partial(self._kill_silent, process))

    async def watch(self) -> None:
        """Check repeatedly that the server still answers, until cancelled.

        A server that does not answer is killed, so that its clients do not continue to wait for it.
        """
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            await self.expect_answer(ANSWER_SECONDS)

    async def expect_answer(self, timeout: float | None = None) -> None:
        """Kill the server process if it runs but does not answer.

        `timeout` is the time to answer in seconds; the default is `DOUBT_SECONDS`. After the kill, the attribute
        `silence` is the error that says why.
        """
        # a server that was killed on purpose refuses the connection
        with contextlib.suppress(aiohttp.ClientError, SilentServerError):
            await self.probe.expect_answer(timeout or DOUBT_SECONDS)

    async def _kill_silent(self, process: BaseProcess, seconds: float) -> SilentServerError:
        """Kill a process that did not answer, and return the error.

        `seconds` is how long the process did not answer.
        """
        process.kill()
        await asyncio.to_thread(process.join, END_SECONDS)
        reason = f"the {self.side} server (process {process.pid}) did not answer its probe for {seconds:.0f} s: killed"
        self.silence = self.silence or SilentServerError(reason)
        return self.silence

    async def _wait_for_answer(self, pipe: Connection) -> tuple[str, ...]:
        try:
            answer: tuple[str, ...] = await receive(pipe, timeout=START_SECONDS)
        except TimeoutError:
            return ("failed", f"no answer in {START_SECONDS:.0f} s")
        except EOFError:
            # a process that ends early has not opened its log
            text = self._log.read_text(errors="replace") if self._log.exists() else ""
            tail = text.strip().splitlines()[-1:]
            return ("failed", tail[0] if tail else "it ended without a message")
        return answer

    async def kill(self) -> None:
        """Kill the server process with SIGKILL, without a graceful shutdown."""
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.join, END_SECONDS)

    async def start_again(self) -> None:
        """Start the server process again, with the same settings and port."""
        self._settings["SERVER_PORT"] = str(self.port)
        await self.start()

    async def stop(self) -> None:
        """Stop the server gracefully, and kill it when that takes too long.

        Its temporary files are removed.
        """
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

    def target(self, lesson: int) -> Target:
        """Return what the experiment of a lesson needs to use this server.

        The result has the port and the namespace. The bad server shows the mistake of each lesson in a separate
        namespace, and the result has the namespace of `lesson`. On any other server the namespace is `/`.
        """
        return Target.of(self, lesson)
