"""Programs that attack a test server, each in its own process.

The arguments are `flood URL TOKEN SECONDS`, `herd URL COUNT` or `frames URL KIND COUNT`.
"""

import asyncio
import contextlib
import json
import random
import sys
import time

from ..settings import Settings
from . import tokens
from .stand_in import NOTE_SEND, topic
from .wire import CONTINUED, PING, PONG, Bare, bare, client_frame

HERD_ROOM = topic("herd")
HERD_RETURN_SECONDS = 1.0
FRAMES_SECONDS = 10.0


async def flood(url, token, seconds):
    """Send `note:send` events to the server at `url` without a pause. Return a summary of its acks."""
    async with bare(url, token) as attacker:
        return await _flood(attacker, seconds)


async def _flood(attacker, seconds):
    codes, waits = {}, []
    message = client_frame("427" + json.dumps([NOTE_SEND, {"to": "nobody", "text": "hello"}]))
    began, sent = time.monotonic(), 0

    async def send():
        nonlocal sent
        while time.monotonic() - began < seconds and not attacker.writer.is_closing():
            attacker.writer.write(message * 10)
            sent += 10
            await asyncio.wait_for(attacker.writer.drain(), seconds)
            # since Python 3.12 `drain` may return at once, and unread acks are lost when the server closes
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


# a million of each are six megabytes
FRAMES = {
    "pings": client_frame(b"", kind=PING),
    "pongs": client_frame(b"", kind=PONG),
    "fragments": client_frame(b"", kind=CONTINUED, fin=False),
    "texts": client_frame(""),
    "acks": client_frame("431[]"),
}
MILLION = 1_000_000


async def frames(url, kind, count):
    """Let `count` unverified clients send a million tiny frames.

    Return how many of them the server closed.
    """

    async def one():
        async with bare(url) as attacker:
            if kind == "fragments":
                attacker.send("42[", fin=False)
            attacker.writer.write(FRAMES[kind] * (MILLION // count))
            return await attacker.is_closed(FRAMES_SECONDS)

    closed = await asyncio.gather(*(one() for _ in range(count)))
    return {"closed": sum(closed)}


async def herd(url, count):
    """Run `count` clients that reconnect by themselves.

    The line `cut` on stdin disconnects all of them at once and for good. The answer to each line is the number of
    connected clients.
    """
    settings, is_over, inside = Settings(), asyncio.Event(), set()
    dice = random.Random(count)  # noqa: S311 - only the length of pauses

    async def one(number):
        token = tokens.token(settings, f"herd-{number}", rooms=[HERD_ROOM])
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
    """Write `answer` to stdout as one line of JSON."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main(kind, url, *arguments):
    if kind == "flood":
        token, seconds = arguments
        say(asyncio.run(flood(url, token, float(seconds))))
    elif kind == "frames":
        frame, count = arguments
        say(asyncio.run(frames(url, frame, int(count))))
    else:
        asyncio.run(herd(url, int(*arguments)))
