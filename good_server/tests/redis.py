"""A real redis-server on a port of its own, that tests stop, start, and hold still."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

WAIT_SECONDS = 10.0


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def program():
    """The path of redis-server; without it a skip, and in CI a failure."""
    found = shutil.which("redis-server")
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("redis-server is not installed")
    return found


class RealRedis:
    """`with RealRedis(password=…) as redis:` it saves nothing, and is gone at the end."""

    def __init__(self, *, password=None, tls=None):
        """`tls` is a folder with ca.pem, server.pem and server.key."""
        # before there is anything to clean up
        self._program = program()
        self.port = free_port()
        self._password, self._tls = password, tls
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self._process = None

    @property
    def url(self):
        credentials = f":{self._password}@" if self._password else ""
        ending = f"?ssl_ca_certs={self._tls / 'ca.pem'}" if self._tls else ""
        return f"{'rediss' if self._tls else 'redis'}://{credentials}127.0.0.1:{self.port}/0{ending}"

    def _arguments(self):
        yield from ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", self._folder.name)
        yield from ("--requirepass", self._password) if self._password else ()
        if self._tls is None:
            yield from ("--port", str(self.port))
            return
        yield from ("--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no")
        for name, file in (("cert", "server.pem"), ("key", "server.key"), ("ca-cert", "ca.pem")):
            yield from (f"--tls-{name}-file", str(self._tls / file))

    def start(self):
        """Returns when it takes connections."""
        log = Path(self._folder.name) / "log"
        command = [self._program, *self._arguments(), "--logfile", str(log)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + WAIT_SECONDS
        # nothing else tells that it listens
        while not self._listens():
            assert self._process.poll() is None, log.read_text()[-500:]
            assert time.monotonic() < deadline, "redis-server does not listen"
            time.sleep(0.01)

    def _listens(self):
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        """As a power cut would."""
        self._process.kill()
        self._process.wait(WAIT_SECONDS)

    def pause(self):
        """It keeps its connections and answers nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self._folder.cleanup()


class Deafening:
    """A way to a Redis on which, while `is_deaf`, whoever has subscribed hears nothing more; all else passes."""

    def __init__(self, redis):
        self.is_deaf = False
        self._redis = redis
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
