"""One server of several processes with a shared Redis."""

import asyncio
import os
import secrets
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.servers.probe_client import FleetProbeClient
from lab.servers.process import LAB_SETTINGS, Server, ServerError
from lab.servers.redis import RedisServer
from lab.servers.target import Target
from lab.system.child_program import Program

SUBSCRIBE_SECONDS = 10.0
WORKER_COMMAND = (sys.executable, "-m", "good_server", "worker")
WORKER_READY_LINE = "worker ready"
WORKER_SECONDS = 30.0
POLL_SECONDS = 0.01


class Fleet:
    """A server of several processes, each on its own port.

    Create it with the function `running`. Each of its `processes` can be killed and started again, and `redis` can be
    stopped and started. With `makes_reports`, an additional process makes the reports, which are slow jobs that clients
    request.
    """

    def __init__(self, side: str, settings: Mapping[str, str], count: int, *, makes_reports: bool = False) -> None:
        self.side = side
        self.redis = RedisServer()
        self._folder = tempfile.TemporaryDirectory(prefix="lab-")
        # a new prefix each time, so that no messages of an earlier run are received
        self._prefix = f"lab-{secrets.token_hex(4)}"
        shared = {
            "SERVER_REDIS_URL": self.redis.url,
            "SERVER_REDIS_PREFIX": self._prefix,
            "BAD_DATABASE": str(Path(self._folder.name) / "members.db"),
            **settings,
        }
        self._worker = self._report_worker({**LAB_SETTINGS, **shared}) if makes_reports else None
        self.processes: Sequence[Server] = [Server(side, shared) for _ in range(count)]

    @property
    def port(self) -> int:
        """The public port of the first server process."""
        return self.processes[0].port

    @property
    def ports(self) -> tuple[int, ...]:
        """The public port of each server process."""
        return tuple(process.port for process in self.processes)

    @property
    def url(self) -> str:
        """The public address of the first server process."""
        return self.processes[0].url

    @property
    def probe(self) -> FleetProbeClient:
        """The client that reads the measurements of all server processes."""
        return FleetProbeClient([process.probe for process in self.processes])

    async def start(self) -> None:
        """Start Redis and all server processes, and wait until all are ready.

        A process is ready when it receives the messages of the other processes. Raises `ServerError` if a process does
        not start, and `RedisError` if Redis does not start.
        """
        await self.redis.start()
        # one after the other, so that after a failure no process is half started; each takes some tenths of a second
        for process in self.processes:
            await process.start()
        await self.wait_for_subscribers()
        if self._worker is not None:
            await self._start_worker(self._worker)

    async def wait_for_subscribers(self) -> None:
        """Wait until every server process has subscribed to the shared Redis channel.

        Raises `ServerError` after `SUBSCRIBE_SECONDS` seconds.
        """
        try:
            async with asyncio.timeout(SUBSCRIBE_SECONDS):
                while await self.redis.subscribers(self._prefix) < len(self.processes):  # noqa: ASYNC110 - Redis gives no event
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise ServerError(f"the {self.side} servers do not receive each other's messages through Redis") from None

    async def kill(self) -> None:
        """Kill all server processes, without a graceful shutdown; Redis keeps running."""
        await asyncio.gather(*(process.kill() for process in self.processes))

    async def start_again(self) -> None:
        """Start all server processes again, on the same ports."""
        for process in self.processes:
            await process.start_again()
        await self.wait_for_subscribers()

    async def stop(self) -> None:
        """Stop all processes and Redis, and remove their temporary files."""
        try:
            if self._worker is not None:
                await self._worker.stop()
            await asyncio.gather(*(process.stop() for process in self.processes))
        finally:
            await self.redis.close()
            self._folder.cleanup()

    def target(self, lesson: int) -> Target:
        """Return what the experiment of a lesson needs to use this server.

        The result has the ports and the namespace. The bad server shows the mistake of each lesson in a separate
        namespace, and the result has the namespace of `lesson`. On any other server the namespace is `/`.
        """
        return Target.of(self, lesson)

    def _report_worker(self, settings: Mapping[str, str]) -> Program:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SERVER_")}
        return Program(WORKER_COMMAND, Path(self._folder.name), environment={**inherited, **settings})

    async def _start_worker(self, worker: Program) -> None:
        await worker.start()
        try:
            async with asyncio.timeout(WORKER_SECONDS):
                while WORKER_READY_LINE not in worker.lines:
                    if not worker.is_running:
                        raise ServerError(f"the report worker did not start: {worker.last_line}")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise ServerError(f"the report worker is not ready after {WORKER_SECONDS:.0f} s") from None
