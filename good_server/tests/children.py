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
SECRET = "k7Qz-0f9bL2mXwT4sVh8RyJ1nCdGeAuP"
LISTENING = re.compile(r"listening on (\S+) \(internal (\S+)\)\n")
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
    return make_token(Settings(jwt_secret=SECRET), user, Role(role), **claims)


class Child:
    """`python -m good_server`, or another program that says the same line, with these settings."""

    def __init__(self, log, program=("-m", "good_server"), **settings):
        """`log` is the file that takes what it writes to stderr."""
        self.port = lasting_port()
        self.url, self.internal_url = f"http://127.0.0.1:{self.port}", None
        self._log, self._program, self._process = log, program, None
        own = {"env": "production", "jwt_secret": SECRET, "port": self.port, "internal_port": 0} | settings
        self._environment = os.environ | {f"SERVER_{name.upper()}": str(value) for name, value in own.items()}

    async def start(self):
        """Returns when it serves."""
        with self._log.open("a") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *self._program, env=self._environment, stdout=asyncio.subprocess.PIPE, stderr=log
            )
        line = await asyncio.wait_for(self._process.stdout.readline(), WAIT_SECONDS)
        found = LISTENING.fullmatch(line.decode())
        assert found, self._log.read_text()[-2000:]
        self.internal_url = found[2]

    def tell_to_end(self):
        self._process.send_signal(signal.SIGTERM)

    async def end(self):
        """In order; returns the exit code."""
        self.tell_to_end()
        return await self.ended()

    async def ended(self):
        """The exit code, when there is one."""
        return await asyncio.wait_for(self._process.wait(), WAIT_SECONDS)

    async def kill(self):
        """As a crash would; it may have ended before."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self.ended()

    async def metric(self, http, name):
        """The value of a metric that has no labels."""
        async with http.get(self.internal_url + "/metrics") as response:
            return float(re.search(rf"^{name} (\S+)$", await response.text(), re.MULTILINE)[1])


@asynccontextmanager
async def two_children(folder, *, program=("-m", "good_server"), **settings):
    """Two processes with the same settings, both serving; logs go into `folder`."""
    children = [Child(folder / f"server-{number}.log", program, **settings) for number in (1, 2)]
    try:
        await asyncio.gather(*(child.start() for child in children))
        yield children
    finally:
        for child in children:
            await child.kill()
