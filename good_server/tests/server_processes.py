"""Servers and child programs that tests start, end and kill."""

import asyncio
import json
import os
import re
import signal
import sys
from contextlib import asynccontextmanager

from ..settings import Settings
from . import tokens
from .package import child_program
from .ports import lasting_port
from .stand_in import PLAIN
from .waiting import PROCESS_SECONDS

STAND_IN_SERVER = child_program("stand_in_server")
LISTENING = re.compile(r"listening on \S+ \(internal (.+)\)\n")
CONNECTIONS = re.compile(r"^server_connections (\S+)$", re.MULTILINE)


def environment_of(settings):
    """The environment with these settings and no others."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("SERVER_")}
    return others | {f"SERVER_{name.upper()}": str(value) for name, value in settings.items()}


async def start(*arguments, options=None, **environment):
    """Run Python with these arguments. Ports are free ones, and both outputs are piped."""
    own = os.environ | {"SERVER_PORT": "0", "SERVER_INTERNAL_PORT": "0"} | environment
    pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, env=own, **(pipes | (options or {})))


async def kill(process):
    """Kill a process as a crash does; it may have ended before."""
    if process is not None and process.returncode is None:
        process.kill()
        await asyncio.wait_for(process.wait(), PROCESS_SECONDS)


async def connections(http, internal_url):
    """How many connections the process with this internal URL has."""
    async with http.get(internal_url + "/metrics") as response:
        return int(float(CONNECTIONS.search(await response.text())[1]))


class ServerProcess:
    """A server process on a fixed port with these settings only."""

    def __init__(self, folder, program=STAND_IN_SERVER, **settings):
        """`folder` is where it runs and writes its log."""
        self.port, self.process, self.internal_urls = lasting_port(), None, []
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder, self._program = folder, program
        own = tokens.PRODUCTION | {"port": self.port, "internal_port": 0} | settings
        self._environment = environment_of(own)

    async def start(self):
        """Start the process and return when it serves."""
        log = self._folder / f"{self.port}.log"
        with log.open("a") as errors:
            pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": errors}
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, *self._program, env=self._environment, cwd=self._folder, **pipes
            )
        line = await asyncio.wait_for(self.process.stdout.readline(), PROCESS_SECONDS)
        found = LISTENING.fullmatch(line.decode())
        assert found, log.read_text()[-2000:]
        self.internal_urls = found[1].split(", ")

    async def end(self):
        """Shut down gracefully; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), PROCESS_SECONDS)

    async def kill(self):
        await kill(self.process)

    async def connections(self, http):
        """The number of connections of each of its processes."""
        return [await connections(http, url) for url in self.internal_urls]


@asynccontextmanager
async def serving(folder, count, *, program=STAND_IN_SERVER, **settings):
    """`count` server processes with the same settings, once all serve."""
    started = [ServerProcess(folder, program, **settings) for _ in range(count)]
    try:
        await asyncio.gather(*(server.start() for server in started))
        yield started
    finally:
        for server in started:
            await server.kill()


class ChildProgram:
    """A child program: a JSON line in, a JSON line out."""

    def __init__(self, process):
        self.process = process

    async def line(self):
        return (await asyncio.wait_for(self.process.stdout.readline(), PROCESS_SECONDS)).decode()

    async def ask(self, question):
        self.process.stdin.write(question.encode() + b"\n")
        return json.loads(await self.line())

    async def until(self, question, holds):
        """Ask until the answer is one that `holds`; returns all answers."""
        answers = []
        async with asyncio.timeout(PROCESS_SECONDS):
            while not answers or not holds(answers[-1]):
                answers.append(await self.ask(question))
                await asyncio.sleep(0.05)
        return answers


@asynccontextmanager
async def running_child(name, *arguments, **settings):
    """Run a child program. It is killed at the end if it still runs."""
    environment = os.environ | {f"SERVER_{name.upper()}": str(value) for name, value in settings.items()}
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *child_program(name, *arguments), env=environment, **pipes
    )
    try:
        yield ChildProgram(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def watched_server(**settings):
    """A server that reports lateness, memory and members: see watched_server.py."""
    own = {"port": 0, "internal_port": 0, "report_workers": 1} | settings
    async with running_child("watched_server", **own) as child:
        child.url, child.internal_url = json.loads(await child.line())
        yield child


class HeapServer:
    """A server process that can search its own heap."""

    def __init__(self, process, url):
        self.process, self.url = process, url

    def token(self, user, role=PLAIN, **claims):
        return tokens.token(Settings(), user, role, **claims)

    async def held(self, ids, *, once_left):
        """Ids that are on the heap, once only `once_left` sockets are connected."""
        # backwards, so that the search does not find the question itself
        self.process.stdin.write(" ".join([str(once_left), *(id[::-1] for id in ids)]).encode() + b"\n")
        line = await asyncio.wait_for(self.process.stdout.readline(), PROCESS_SECONDS)
        assert line.endswith(b"\n")
        return {ids[int(number)] for number in line.split()}


@asynccontextmanager
async def heap_server(*arguments):
    """A server that can search its own heap: see heap_server.py."""
    environment = os.environ | {"SERVER_PING_INTERVAL_SECONDS": "1", "SERVER_PING_TIMEOUT_SECONDS": "1"}
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.DEVNULL}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *child_program("heap_server", *arguments), env=environment, **pipes
    )
    try:
        url = await asyncio.wait_for(process.stdout.readline(), PROCESS_SECONDS)
        yield HeapServer(process, url.decode().strip())
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), PROCESS_SECONDS) == 0
    finally:
        await kill(process)
