"""What the tests of rows 18 to 35 attack with: bare sockets, attackers and a server in processes of their own.

Run as a program it is an attacker: `attacks.py flood URL TOKEN SECONDS` or `attacks.py herd URL COUNT`.
"""

import asyncio
import contextlib
import json
import os
import random
import socket
import struct
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from good_server.auth import make_token
from good_server.roles import Role
from good_server.settings import Settings

PATIENCE_SECONDS = 20.0
MOST_LATE_MS = 100
UPGRADE = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
TEXT, CONTINUED, BINARY, CLOSE = 0x1, 0x0, 0x2, 0x8
FIN = 0x80
# l_onoff, l_linger: closing sends RST instead of FIN
RESET = struct.pack("ii", 1, 0)
SLOW_RECEIVE_BYTES = 4096
HERD_ROOM = "job:herd"
HERD_RETURN_SECONDS = 1.0


def client_frame(payload, *, kind=TEXT, fin=True, announced=None):
    """One frame, masked with zeros; `announced` is the length it claims to have."""
    data = payload.encode() if isinstance(payload, str) else payload
    size = len(data) if announced is None else announced
    if size < 126:
        length = bytes([0x80 | size])
    else:
        length = b"\xfe" + size.to_bytes(2, "big") if size < 1 << 16 else b"\xff" + size.to_bytes(8, "big")
    return bytes([kind | (FIN if fin else 0)]) + length + b"\0\0\0\0" + data


class Bare:
    """A WebSocket of which every byte is ours."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.close_code = reader, writer, None

    @classmethod
    async def open(cls, url, token=None, *, receive_bytes=None):
        """A socket that was upgraded; with a token it has said CONNECT. Raises `OSError` when it is not let in."""
        # asyncio turns off the gathering of small writes where the protocol is named
        raw = socket.socket(proto=socket.IPPROTO_TCP)
        if receive_bytes:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        raw.setblocking(False)
        address = urlsplit(url)
        try:
            await asyncio.get_running_loop().sock_connect(raw, (address.hostname, address.port))
        except OSError:
            raw.close()
            raise
        bare = cls(*await asyncio.open_connection(sock=raw, limit=1 << 16))
        bare.writer.write(UPGRADE.encode())
        try:
            await bare._be_let_in(token)
        except (OSError, asyncio.IncompleteReadError) as error:
            bare.cut()
            raise OSError("not let in") from error
        return bare

    async def _be_let_in(self, token):
        head = await self.reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head.partition(b"\r\n")[0]:
            raise OSError("refused")
        await self.frame()
        if token is None:
            return
        self.send("40" + json.dumps({"token": token}))
        if not (await self.frame() or "").startswith("40{"):
            raise OSError("refused")

    def send(self, payload, **options):
        self.writer.write(client_frame(payload, **options))

    async def frame(self):
        """The next text, None when there will be none; pings are answered as any client library would."""
        try:
            while True:
                head, size = await self.reader.readexactly(2)
                if size >= 126:
                    size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
                data = await self.reader.readexactly(size)
                if head & 0xF == CLOSE:
                    self.close_code = int.from_bytes(data[:2], "big")
                    return None
                if data != b"2":
                    return data.decode()
                self.send("3")
        except (OSError, asyncio.IncompleteReadError):
            return None

    async def ack(self, id):
        """The ack with this id, None when the server closed first."""
        while (frame := await self.frame()) is not None:
            if frame.startswith(f"43{id}["):
                return json.loads(frame.removeprefix(f"43{id}"))[0]
        return None

    async def is_closed(self, within_seconds):
        """Whether the server closes the transport in this time, however much it says before."""
        try:
            async with asyncio.timeout(within_seconds):
                while await self.frame() is not None:
                    pass
        except TimeoutError:
            return False
        return True

    def cut(self):
        """Gone as by a pulled plug's router: a reset, no goodbye."""
        raw = self.writer.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.writer.transport.abort()


@contextlib.asynccontextmanager
async def bare(url, token=None, **options):
    """A bare socket for the length of a block."""
    opened = await Bare.open(url, token, **options)
    try:
        yield opened
    finally:
        opened.cut()


def withheld_seconds():
    """How long this thread was ready to run and another one ran, where the system (Linux) counts it."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


class Lateness:
    """How far behind the loop of this process was at worst since it was last asked, in milliseconds.

    `late_ms` is by the clock; `own_ms` leaves out the time in which a busy machine kept the processor from it.
    """

    STEP_SECONDS = 0.005

    def __init__(self):
        self._late = self._own = 0.0
        self._due = asyncio.get_running_loop().time()
        self._withheld = withheld_seconds()
        self._tick()

    def _tick(self):
        loop = asyncio.get_running_loop()
        late, withheld = loop.time() - self._due, withheld_seconds()
        self._late = max(self._late, late)
        self._own = max(self._own, late - (withheld - self._withheld))
        self._due, self._withheld = loop.time() + self.STEP_SECONDS, withheld
        self._timer = loop.call_at(self._due, self._tick)

    async def asked(self):
        """The worst until now; from here it is counted anew."""
        # what is late now is counted at its next tick
        await asyncio.sleep(2 * self.STEP_SECONDS)
        worst = {"late_ms": self._late * 1000, "own_ms": self._own * 1000}
        self._late = self._own = 0.0
        return worst

    def end(self):
        self._timer.cancel()


def check_pace(answers):
    """A server's loop was never behind; if only as its machine kept the processor from it, nothing can be said."""
    late_ms, own_ms = (max(answer[name] for answer in answers) for name in ("late_ms", "own_ms"))
    assert own_ms <= MOST_LATE_MS, f"the loop was behind by {own_ms:.0f} ms"
    if late_ms > MOST_LATE_MS:
        # not at the top: the programs that run apart need no pytest
        import pytest

        pytest.skip(f"inconclusive: {late_ms:.0f} ms behind, but {own_ms:.0f} of its own: the machine is too busy")


class Apart:
    """A program of the tests in a process of its own: a JSON line asked, a JSON line answered."""

    def __init__(self, process):
        self.process = process

    async def line(self):
        return (await asyncio.wait_for(self.process.stdout.readline(), PATIENCE_SECONDS)).decode()

    async def ask(self, question):
        self.process.stdin.write(question.encode() + b"\n")
        return json.loads(await self.line())

    async def until(self, question, holds):
        """Asks until the answer is one that `holds`, and returns all answers."""
        answers = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not answers or not holds(answers[-1]):
                answers.append(await self.ask(question))
                await asyncio.sleep(0.05)
        return answers


@contextlib.asynccontextmanager
async def apart(program, *arguments, **settings):
    """Runs `program` of this folder; it is killed at the end, if it still runs."""
    path = Path(__file__).with_name(program)
    environment = os.environ | {f"SERVER_{name.upper()}": str(value) for name, value in settings.items()}
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(sys.executable, path, *arguments, env=environment, **pipes)
    try:
        yield Apart(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@contextlib.asynccontextmanager
async def server_apart(**settings):
    """A good server that says how late its loop is, its memory, and how many are in a room: see watched_child.py."""
    async with apart("watched_child.py", **({"port": 0, "internal_port": 0, "report_workers": 1} | settings)) as child:
        child.url, child.internal_url = json.loads(await child.line())
        yield child


async def flood(url, token, seconds):
    """Sends chat without a pause and says what came of it."""
    async with bare(url, token) as attacker:
        return await _flood(attacker, seconds)


async def _flood(attacker, seconds):
    codes, waits = {}, []
    message = client_frame('427["chat:send",{"to":"nobody","text":"hello"}]')
    began, sent = time.monotonic(), 0

    async def send():
        nonlocal sent
        while time.monotonic() - began < seconds and not attacker.writer.is_closing():
            attacker.writer.write(message * 10)
            sent += 10
            await asyncio.wait_for(attacker.writer.drain(), seconds)
            # which since Python 3.12 may go on at once, and acks that are not read are gone when the server closes
            await asyncio.sleep(0)

    sending = asyncio.create_task(send())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (ack := await attacker.ack(7)) is not None:
                error = ack.get("error", {"code": "ok"})
                codes[error["code"]] = codes.get(error["code"], 0) + 1
                waits.append(error.get("retry_after", 0))
    is_closed = time.monotonic() - began < seconds
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    least = min((wait for wait in waits if wait), default=0)
    return {"sent": sent, "codes": codes, "is_closed": is_closed, "waits": len([w for w in waits if w]), "least": least}


async def herd(url, count):
    """Many clients that come back by themselves; told `cut`, all go at once and for good."""
    settings, is_over, inside = Settings(), asyncio.Event(), set()
    dice = random.Random(count)  # noqa: S311 - only when to come back

    async def one(number):
        token = make_token(settings, f"herd-{number}", Role.VENDOR, rooms=[HERD_ROOM])
        await asyncio.sleep(dice.uniform(0, HERD_RETURN_SECONDS))
        while not is_over.is_set():
            with contextlib.suppress(OSError):
                opened = await Bare.open(url, token)
                inside.add(opened)
                while await opened.frame() is not None:
                    pass
                inside.discard(opened)
                opened.cut()
            await asyncio.sleep(dice.uniform(0.1, HERD_RETURN_SECONDS))

    tasks = [asyncio.create_task(one(number)) for number in range(count)]
    stdin = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    while line := (await stdin.readline()).decode().strip():
        if line == "cut":
            is_over.set()
            for opened in list(inside):
                opened.cut()
        say({"inside": len(inside)})
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def say(answer):
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1] == "flood":
        say(asyncio.run(flood(sys.argv[2], sys.argv[3], float(sys.argv[4]))))
    else:
        asyncio.run(herd(sys.argv[2], int(sys.argv[3])))
