"""Starts, observes and stops the servers that `lab bench` compares."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from lab.bench import node, wire
from lab.bench.crowd import LoadError
from lab.system.end_with_parent import ending_with_parent

START_SECONDS = 30.0
STOP_SECONDS = 5.0
TEXT_LETTERS = 100
# the load comes from one address and a few users, which these limits prevent; no other limit is changed
RAISED_LIMITS = {
    "SERVER_CHAT_PER_SECOND": "1000000",
    "SERVER_CONNECTS_PER_SECOND": "1000000",
    "SERVER_CONNECTS_PER_SECOND_PER_ADDRESS": "1000000",
    "SERVER_EVENTS_PER_SECOND": "1000000",
    "SERVER_SOCKETS_PER_ADDRESS": "20000",
}
# as in production: JSON logs and a private secret
PRODUCTION = {
    "SERVER_ENV": "production",
    "SERVER_JWT_SECRET": wire.SECRET,
    "SERVER_PORT": "0",
    "SERVER_INTERNAL_PORT": "0",
}
TOKEN_SETTINGS = {"BENCH_SECRET": wire.SECRET, "BENCH_ISSUER": wire.ISSUER, "BENCH_AUDIENCE": wire.AUDIENCE}
# a server is idle below this share of a core; low, because a server that shares its core cannot use all of it
IDLE_SHARE = 0.05
IDLE_CHECK_SECONDS = 0.12
IDLE_CHECKS = 3


@dataclass(frozen=True)
class Peer:
    """A server that `lab bench` measures, and the command that starts it.

    `description` is one line for the report. `command` returns the command line. `settings` are the environment
    variables of the server process.
    """

    id: str
    description: str
    command: Callable[[], list[str]]
    settings: Mapping[str, str] = field(default_factory=lambda: TOKEN_SETTINGS)


def _node_command() -> list[str]:
    node.copy_files()
    return [shutil.which("node") or "node", str(node.folder() / "server.mjs")]


GOOD = Peer(
    "good",
    "the good server as shipped: all guards on, its log written to a file",
    lambda: [sys.executable, "-m", "good_server"],
    {**PRODUCTION, **RAISED_LIMITS},
)
STOCK = Peer(
    "python-socketio",
    "the library on aiohttp and uvloop, its defaults, WebSocket only, minimal handlers, no guards",
    lambda: [sys.executable, "-m", "lab.bench.stock"],
)
NODE = Peer("node", "Socket.IO 4 on Node's http, its defaults, WebSocket only, minimal handlers", _node_command)
FLOOR = Peer(
    "one send() each",
    "no server: writes a prepared frame to each socket, one system call per socket",
    lambda: [sys.executable, "-m", "lab.bench.floor", str(TEXT_LETTERS)],
)


def available_peers() -> tuple[list[Peer], dict[str, str]]:
    """Returns the servers that can be measured on this machine.

    The second returned value maps the id of each missing server to one line that says how to install that server.
    """
    if node.version() is None:
        return [GOOD, STOCK], {NODE.id: node.why_absent()}
    return [GOOD, STOCK, NODE], {}


class Server:
    """A running server process, measured from outside.

    Its CPU time, memory and open files are read from the operating system.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.port = port
        self._process = process
        self._statistics = psutil.Process(process.pid)

    def cpu_seconds(self) -> float:
        """Returns the CPU seconds that the server process has used.

        This is user time plus system time. Raises `LoadError` when the process has ended.
        """
        if self._process.poll() is not None:
            raise LoadError("the server ended during the load")
        if sys.platform == "linux":
            # the CPU clock of another process, clock_getcpuclockid(3), because psutil has steps of 10 ms
            return time.clock_gettime((~self._process.pid << 3) | 2)
        times = self._statistics.cpu_times()
        return times.user + times.system

    def rss_bytes(self) -> int:
        """Returns the resident memory of the server process, in bytes."""
        return self._statistics.memory_info().rss

    def open_files(self) -> int:
        """Returns how many files and connections the server process has open."""
        if sys.platform == "win32":
            return self._statistics.num_handles()
        return self._statistics.num_fds()

    async def wait_until_idle(self, *, timeout: float = 3.0) -> bool:
        """Waits until the server process uses almost no CPU.

        Returns True when the process is idle, or False when it is still busy after `timeout` seconds.
        """
        deadline, idle_checks = time.monotonic() + timeout, 0
        while idle_checks < IDLE_CHECKS and time.monotonic() < deadline:
            before, since = self.cpu_seconds(), time.monotonic()
            await asyncio.sleep(IDLE_CHECK_SECONDS)
            share = (self.cpu_seconds() - before) / (time.monotonic() - since)
            # a process that waits for a core is not idle either; other systems do not report this reliably
            is_runnable = sys.platform == "linux" and self._statistics.status() == psutil.STATUS_RUNNING
            idle_checks = idle_checks + 1 if share < IDLE_SHARE and not is_runnable else 0
        return idle_checks == IDLE_CHECKS


@asynccontextmanager
async def running(peer: Peer) -> AsyncIterator[Server]:
    """Runs the server `peer` during the `async with` block.

    Yields the server, which runs in a new process. After the block, this process is killed and its temporary folder
    removed. Raises `LoadError` when the server does not start.
    """
    with tempfile.TemporaryDirectory(prefix="lab-bench-", ignore_cleanup_errors=True) as name:
        log = Path(name) / "server.log"
        process = _start(peer, log)
        try:
            yield Server(process, await _wait_for_port(process, log))
        finally:
            _kill(process)


def _start(peer: Peer, log: Path) -> "subprocess.Popen[bytes]":
    settings = {name: value for name, value in os.environ.items() if not name.startswith("SERVER_")}
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - our own servers
            ending_with_parent(peer.command()),
            # a folder without a `.env`
            cwd=log.parent,
            env={**settings, **peer.settings},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C in a terminal goes only to the lab, which then stops this process
            start_new_session=True,
        )


def _read(log: Path) -> str:
    return log.read_text(errors="replace")


async def _wait_for_port(process: "subprocess.Popen[bytes]", log: Path) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        output = _read(log)
        if found := re.search(r"^listening on http://127\.0\.0\.1:(\d+)\s", output, re.MULTILINE):
            return int(found[1])
        if process.poll() is not None:
            raise LoadError(f"it did not start: {(output.strip().splitlines() or ['it ended without output'])[-1]}")
        await asyncio.sleep(0.02)
    raise LoadError(f"it did not start in {START_SECONDS:.0f} s")


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kills the server process and its child processes, without a graceful shutdown."""
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        children = []
    process.kill()
    for child in children:
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait(STOP_SECONDS)
    psutil.wait_procs(children, timeout=STOP_SECONDS)
