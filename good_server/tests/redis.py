"""A real redis-server that tests stop, start and pause."""

import asyncio
import re
import shlex
import signal
import subprocess
import tempfile
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from redis import Redis

from .package import FOLDER
from .ports import is_open, lasting_port
from .programs import installed
from .waiting import WAIT_SECONDS

# the line of the README that creates the server's user
ACL_LINE = re.compile(r"^ACL SETUSER (\S+) .*>(\S+) .*$", re.MULTILINE)


class RealRedis:
    """A Redis server that saves nothing: `with RealRedis(password=…) as redis:`."""

    def __init__(self, *arguments, password=None, tls=None, is_sentinel=False):
        """`arguments` are further ones of redis-server.

        `tls` is None, or a folder with ca.pem, server.pem and server.key.
        """
        # before there is anything to clean up
        self._program = installed("redis-server")
        self.port = lasting_port()
        self._more, self._password, self._tls, self._is_sentinel = arguments, password, tls, is_sentinel
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self._process = None

    @property
    def url(self):
        credentials = f":{quote(self._password, safe='')}@" if self._password else ""
        ending = f"?ssl_ca_certs={self._tls / 'ca.pem'}" if self._tls else ""
        return f"{'rediss' if self._tls else 'redis'}://{credentials}127.0.0.1:{self.port}/0{ending}"

    @property
    def socket_path(self):
        """The path of its unix socket."""
        return f"{self._folder.name}/redis.sock"

    def call(self, *command):
        """Send one command to Redis as its administrator, and return the answer."""
        with Redis.from_url(self.url) as client:
            return client.execute_command(*command)

    def call_as(self, user, password, *command):
        """Send one command to Redis as this user, and return the answer."""
        with Redis(port=self.port, username=user, password=password) as client:
            return client.execute_command(*command)

    def create_user(self):
        """Create the README's user in Redis, and return this user's URL.

        From now on, `ACL LOG` lists the commands that Redis refuses to this user.
        """
        found = ACL_LINE.search((FOLDER / "README.md").read_text("utf-8"))
        self.call(*shlex.split(found[0]))
        self.call("ACL", "LOG", "RESET")
        return f"redis://{found[1]}:{found[2]}@127.0.0.1:{self.port}/0"

    def calls(self, command):
        """Return how many times clients sent this command."""
        return self.call("INFO", "commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"]

    def _arguments(self):
        if self._is_sentinel:
            config = Path(self._folder.name) / "sentinel.conf"
            config.touch()
            yield from (str(config), "--sentinel", "--port", str(self.port), "--bind", "127.0.0.1")
            return
        yield from self._more
        yield from ("--unixsocket", self.socket_path)
        yield from ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", self._folder.name)
        yield from ("--requirepass", self._password) if self._password else ()
        if self._tls is None:
            yield from ("--port", str(self.port))
            return
        yield from ("--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no")
        for name, file in (("cert", "server.pem"), ("key", "server.key"), ("ca-cert", "ca.pem")):
            yield from (f"--tls-{name}-file", str(self._tls / file))

    def start(self):
        """Start Redis, and return when it accepts connections."""
        log = Path(self._folder.name) / "log"
        command = [self._program, *self._arguments(), "--logfile", str(log)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + WAIT_SECONDS
        # no event says that it listens
        while not is_open(self.port):
            assert self._process.poll() is None, log.read_text()[-500:]
            assert time.monotonic() < deadline, "redis-server does not listen"
            time.sleep(0.01)

    def stop(self):
        """Kill the Redis process at once, as a power failure does."""
        self._process.kill()
        self._process.wait(WAIT_SECONDS)

    def pause(self):
        """Stop Redis from answering. Its connections stay open."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self._folder.cleanup()


class Proxy:
    """A listening port in front of Redis. A subclass forwards its connections."""

    def __init__(self):
        self._tasks = set()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader, writer):
        self._tasks.add(asyncio.create_task(self._forward(reader, writer)))


class Forwarder(Proxy):
    """A name that leads to one Redis, like a service name.

    New connections go to `target`. Open ones stay where they are.
    """

    def __init__(self, target=None):
        """`target` is a `RealRedis`, or None: then connections are closed at once."""
        super().__init__()
        self.target = target

    async def _forward(self, reader, writer):
        async with closing(writer):
            if self.target is None:
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target.port)
            async with closing(far_writer):
                both = [asyncio.create_task(pump(reader, far_writer)), asyncio.create_task(pump(far_reader, writer))]
                try:
                    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in both:
                        task.cancel()
                    await asyncio.gather(*both, return_exceptions=True)


@asynccontextmanager
async def closing(writer):
    """Close a stream at the end of a block."""
    try:
        yield
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def pump(reader, writer):
    """Copy what arrives at `reader` to `writer`, until the end."""
    while data := await reader.read(65536):
        writer.write(data)


class Deafening(Proxy):
    """A proxy in front of Redis.

    While `is_deaf`, it drops all data from Redis to connections that have subscribed.
    """

    def __init__(self, redis):
        self.is_deaf = False
        super().__init__()
        self._redis = redis

    async def _forward(self, reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._redis.port)
        has_subscribed = False

        async def ask():
            nonlocal has_subscribed
            while data := await reader.read(65536):
                has_subscribed |= b"SUBSCRIBE" in data
                far_writer.write(data)

        async def answer():
            while data := await far_reader.read(65536):
                if not (self.is_deaf and has_subscribed):
                    writer.write(data)

        both = [asyncio.create_task(ask()), asyncio.create_task(answer())]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            writer.close()
            far_writer.close()
