"""Start, stop and kill the servers and child programs of tests."""

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
from .servers import FREE_PORTS, ONE_ADDRESS
from .stand_in import PLAIN
from .waiting import PROCESS_SECONDS

STAND_IN_SERVER = child_program("stand_in_server")
LISTENING = re.compile(r"listening on \S+ \(internal (.+)\)\n")
CONNECTIONS = re.compile(r"^server_connections (\S+)$", re.MULTILINE)


def environment_of(settings):
    """Return the environment variables with these server settings and no others."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("SERVER_")}
    return others | {f"SERVER_{name.upper()}": str(value) for name, value in settings.items()}


async def start(*arguments, options=None, **environment):
    """Start Python with these arguments. A server gets free ports. The test can read stdout and stderr."""
    own = os.environ | {"SERVER_PORT": "0", "SERVER_INTERNAL_PORT": "0"} | environment
    pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, env=own, **(pipes | (options or {})))


async def kill(process):
    """Kill a process at once, like a crash. It may already have ended."""
    if process is not None and process.returncode is None:
        process.kill()
        await asyncio.wait_for(process.wait(), PROCESS_SECONDS)


async def connections(http, internal_url):
    """Return how many clients are connected to the server process.

    `internal_url` is the internal URL of that process.
    """
    async with http.get(internal_url + "/metrics") as response:
        return int(float(CONNECTIONS.search(await response.text())[1]))


class ServerProcess:
    """A server process on a fixed port, with only the given settings."""

    def __init__(self, folder, program=STAND_IN_SERVER, **settings):
        """The server runs in `folder` and writes its log there."""
        self.port, self.process, self.internal_urls = lasting_port(), None, []
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder, self._program = folder, program
        own = tokens.PRODUCTION | ONE_ADDRESS | {"port": self.port, "internal_port": 0} | settings
        self._environment = environment_of(own)

    async def start(self):
        """Start the server process, and return when it accepts connections."""
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
        """Shut the server down gracefully, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), PROCESS_SECONDS)

    async def kill(self):
        await kill(self.process)

    async def connections(self, http):
        """Return the number of connections of each process of this server."""
        return [await connections(http, url) for url in self.internal_urls]


@asynccontextmanager
async def serving(folder, count, *, program=STAND_IN_SERVER, **settings):
    """Run `count` servers with the same settings, and yield them.

    The block begins when all of them accept connections.
    """
    started = [ServerProcess(folder, program, **settings) for _ in range(count)]
    try:
        await asyncio.gather(*(server.start() for server in started))
        yield started
    finally:
        for server in started:
            await server.kill()


class ChildProgram:
    """A child process that answers each line on stdin with JSON."""

    def __init__(self, process):
        self.process = process

    async def line(self):
        return (await asyncio.wait_for(self.process.stdout.readline(), PROCESS_SECONDS)).decode()

    async def ask(self, question):
        self.process.stdin.write(question.encode() + b"\n")
        return json.loads(await self.line())

    async def until(self, question, holds):
        """Ask `question` until `holds(answer)` is true. Return all answers."""
        answers = []
        async with asyncio.timeout(PROCESS_SECONDS):
            while not answers or not holds(answers[-1]):
                answers.append(await self.ask(question))
                await asyncio.sleep(0.05)
        return answers


@asynccontextmanager
async def running_child(name, *arguments, **settings):
    """Run a child program, and yield it. It is killed at the end of the block if it still runs."""
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
    """Run a server that reports its lateness, memory and room members. See watched_server.py."""
    own = FREE_PORTS | ONE_ADDRESS | {"report_workers": 1} | settings
    async with running_child("watched_server", **own) as child:
        child.url, child.internal_url = json.loads(await child.line())
        yield child


class HeapServer:
    """A server process that can search its own memory for socket ids."""

    def __init__(self, process, url):
        self.process, self.url = process, url

    def token(self, user, role=PLAIN, **claims):
        return tokens.token(Settings(), user, role, **claims)

    async def held(self, ids, *, once_left):
        """Wait until only `once_left` sockets are connected.

        Return those of `ids` that are still in the server's memory.
        """
        # backwards, so that the search does not find the question itself
        self.process.stdin.write(" ".join([str(once_left), *(id[::-1] for id in ids)]).encode() + b"\n")
        line = await asyncio.wait_for(self.process.stdout.readline(), PROCESS_SECONDS)
        assert line.endswith(b"\n")
        return {ids[int(number)] for number in line.split()}


@asynccontextmanager
async def heap_server(*arguments):
    """Run a server that can search its own memory: see heap_server.py."""
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
