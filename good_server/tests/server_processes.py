"""Server processes of the tests: each on a port of its own, to be ended, killed and started again where it was."""

import asyncio
import contextlib
import os
import random
import re
import signal
import socket
import sys
from contextlib import asynccontextmanager

from good_server.auth import make_token
from good_server.roles import Role
from good_server.settings import Settings

WAIT_SECONDS = 20.0
SERVER = ("-m", "good_server")
SECRET = "k7Qz-0f9bL2mXwT4sVh8RyJ1nCdGeAuP"
LISTENING = re.compile(r"listening on \S+ \(internal (.+)\)\n")
# above those that need rights, below those that systems give to clients
PORTS = range(10_000, 30_000)


def lasting_port():
    """A port that is free, and stays so while its server is away: no client is ever given it as its own."""
    while True:
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", random.choice(PORTS)))  # noqa: S311 - a guess, not a secret
            return listener.getsockname()[1]


def token(user, role="vendor", **claims):
    """One that every such process accepts."""
    return make_token(Settings(jwt_secret=SECRET, _env_file=None), user, Role(role), **claims)


class Child:
    """`python -m good_server`, or another program that says the same line, with these settings and no others."""

    def __init__(self, folder, program=SERVER, **settings):
        """It runs in `folder`, and writes its log there."""
        self.port, self.process, self.internal_urls = lasting_port(), None, []
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder, self._program = folder, program
        own = {"env": "production", "jwt_secret": SECRET, "port": self.port, "internal_port": 0} | settings
        others = {name: value for name, value in os.environ.items() if not name.startswith("SERVER_")}
        self._environment = others | {f"SERVER_{name.upper()}": str(value) for name, value in own.items()}

    async def start(self):
        """Returns when it serves."""
        log = self._folder / f"{self.port}.log"
        with log.open("a") as errors:
            pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": errors}
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, *self._program, env=self._environment, cwd=self._folder, **pipes
            )
        line = await asyncio.wait_for(self.process.stdout.readline(), WAIT_SECONDS)
        found = LISTENING.fullmatch(line.decode())
        assert found, log.read_text()[-2000:]
        self.internal_urls = found[1].split(", ")

    async def end(self):
        """In order; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), WAIT_SECONDS)

    async def kill(self):
        """As a crash would; it may have ended before."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await asyncio.wait_for(self.process.wait(), WAIT_SECONDS)

    async def connections(self, http):
        """How many it has, of each of its processes."""
        return [await _connections(http, url) for url in self.internal_urls]


async def _connections(http, internal_url):
    async with http.get(internal_url + "/metrics") as response:
        return int(float(re.search(r"^server_connections (\S+)$", await response.text(), re.MULTILINE)[1]))


@asynccontextmanager
async def serving(folder, count, *, program=SERVER, **settings):
    """So many processes with the same settings, once all serve."""
    started = [Child(folder, program, **settings) for _ in range(count)]
    try:
        await asyncio.gather(*(child.start() for child in started))
        yield started
    finally:
        for child in started:
            await child.kill()
