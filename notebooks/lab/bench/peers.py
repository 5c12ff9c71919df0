"""Answers for the servers that are compared: how each is started, looked at from outside, and ended on every path."""

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

START_SECONDS = 30.0
END_SECONDS = 5.0
TEXT_LETTERS = 100
# the load comes from one address and a few users, which is what these limits are against; nothing else is changed
RAISED = {
    "SERVER_CHAT_PER_SECOND": "1000000",
    "SERVER_CONNECTS_PER_SECOND": "1000000",
    "SERVER_EVENTS_PER_SECOND": "1000000",
    "SERVER_SOCKETS_PER_ADDRESS": "20000",
}
# as it runs in production: JSON logs, a secret of its own
PRODUCTION = {
    "SERVER_ENV": "production",
    "SERVER_JWT_SECRET": wire.SECRET,
    "SERVER_PORT": "0",
    "SERVER_INTERNAL_PORT": "0",
}
SHARED = {"BENCH_SECRET": wire.SECRET, "BENCH_ISSUER": wire.ISSUER, "BENCH_AUDIENCE": wire.AUDIENCE}
# below this share of a core a server has nothing left to do
# low, as a server that has to share its core with others is busy at less than a whole one
QUIET_SHARE = 0.05
QUIET_SECONDS = 0.12
QUIET_LOOKS = 3


@dataclass(frozen=True)
class Peer:
    """A server that is measured; `told` says in a line what runs."""

    id: str
    told: str
    command: Callable[[], list[str]]
    settings: Mapping[str, str] = field(default_factory=lambda: SHARED)


def _node_command() -> list[str]:
    node.copy_files()
    return [shutil.which("node") or "node", str(node.folder() / "server.mjs")]


GOOD = Peer(
    "good",
    "the good server as shipped: all guards on, its log written to a file",
    lambda: [sys.executable, "-m", "good_server"],
    {**PRODUCTION, **RAISED},
)
STOCK = Peer(
    "python-socketio",
    "the library on aiohttp and uvloop, its defaults, WebSocket only, minimal handlers, no guards",
    lambda: [sys.executable, "-m", "lab.bench.stock"],
)
NODE = Peer("node", "Socket.IO 4 on Node's http, its defaults, WebSocket only, minimal handlers", _node_command)
FLOOR = Peer(
    "one send() each",
    "no server: a ready frame written to each socket with a system call of its own",
    lambda: [sys.executable, "-m", "lab.bench.floor", str(TEXT_LETTERS)],
)


def available_peers() -> tuple[list[Peer], dict[str, str]]:
    """The peers that can be measured here, and of each that cannot how to get it."""
    if node.version() is None:
        return [GOOD, STOCK], {NODE.id: node.why_absent()}
    return [GOOD, STOCK, NODE], {}


class Server:
    """A server process as the operating system sees it."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.port = port
        self._process = process
        self._seen = psutil.Process(process.pid)

    def cpu_seconds(self) -> float:
        """User and system time of the whole process; raises `LoadError` when it has ended."""
        if self._process.poll() is not None:
            raise LoadError("the server ended during the load")
        if sys.platform == "linux":
            # the CPU clock of another process, clock_getcpuclockid(3): psutil's table has steps of 10 ms
            return time.clock_gettime((~self._process.pid << 3) | 2)
        times = self._seen.cpu_times()
        return times.user + times.system

    def rss_bytes(self) -> int:
        """Memory in use."""
        return self._seen.memory_info().rss

    def open_files(self) -> int:
        """How many it has open, its connections among them."""
        if sys.platform == "win32":
            return self._seen.num_handles()
        return self._seen.num_fds()

    async def quiet(self, *, timeout: float = 3.0) -> bool:
        """Waits until it has nothing left to do; False when that took too long."""
        deadline, in_a_row = time.monotonic() + timeout, 0
        while in_a_row < QUIET_LOOKS and time.monotonic() < deadline:
            before, since = self.cpu_seconds(), time.monotonic()
            await asyncio.sleep(QUIET_SECONDS)
            share = (self.cpu_seconds() - before) / (time.monotonic() - since)
            # one that waits for a core is not quiet either; elsewhere the system tells less of it
            waits = sys.platform == "linux" and self._seen.status() == psutil.STATUS_RUNNING
            in_a_row = in_a_row + 1 if share < QUIET_SHARE and not waits else 0
        return in_a_row == QUIET_LOOKS


@asynccontextmanager
async def running(peer: Peer) -> AsyncIterator[Server]:
    """A fresh process of this peer; it and its folder are gone when the block ends. Raises `LoadError`."""
    with tempfile.TemporaryDirectory(prefix="lab-bench-", ignore_cleanup_errors=True) as name:
        log = Path(name) / "server.log"
        process = _start(peer, log)
        try:
            yield Server(process, await _port(process, log))
        finally:
            _end(process)


def _start(peer: Peer, log: Path) -> "subprocess.Popen[bytes]":
    settings = {name: value for name, value in os.environ.items() if not name.startswith("SERVER_")}
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - our own servers
            peer.command(),
            # no `.env` there
            cwd=log.parent,
            env={**settings, **peer.settings},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # a terminal's Ctrl-C is for the lab alone, which ends this one
            start_new_session=True,
        )


def _told(log: Path) -> str:
    return log.read_text(errors="replace")


async def _port(process: "subprocess.Popen[bytes]", log: Path) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        told = _told(log)
        if found := re.search(r"^listening on http://127\.0\.0\.1:(\d+)\s", told, re.MULTILINE):
            return int(found[1])
        if process.poll() is not None:
            raise LoadError(f"it did not start: {(told.strip().splitlines() or ['it ended without a word'])[-1]}")
        await asyncio.sleep(0.02)
    raise LoadError(f"it did not start in {START_SECONDS:.0f} s")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """By force, with the workers it started: nothing of it is worth a goodbye."""
    try:
        ending = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        ending = []
    process.kill()
    for child in ending:
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait(END_SECONDS)
    psutil.wait_procs(ending, timeout=END_SECONDS)
