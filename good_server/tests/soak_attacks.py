"""Inputs of abusive clients, sent at a bounded rate during the soak.

Each function attacks once, over one or a few connections, and then leaves.
"""

import asyncio
import contextlib
from collections import Counter

from . import tokens
from .soak_clients import NORMAL, ended, joined
from .stand_in import LEAVE_TEXT
from .wire import CLOSE, CONTINUED, PING, PONG, TEXT, UPGRADE, Bare, address_of, client_frame

# each attack runs about twice a second
PAUSE_SECONDS = 0.5
HOLD_SECONDS = 1.5
# longer than the server waits for a request
HEADER_SECONDS = 6.0
FRAMES = 20_000
PACKETS = 300
REQUESTS = 200
SMALL_BUFFER_BYTES = 4096
EMPTY = {
    "pings": client_frame(b"", kind=PING),
    "pongs": client_frame(b"", kind=PONG),
    "fragments": client_frame(b"", kind=CONTINUED, fin=False),
}
LONGEST_PING = client_frame(b"x" * 125, kind=PING)
FIRST_FRAGMENT = client_frame(b"", kind=TEXT, fin=False)
# an ack, a PONG and an UPGRADE of Engine.IO, none of which the server asked for
UNASKED = ("431[]", "3", "5")
HALF_HEADER = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-"
KEEP_ALIVE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
PLAIN_GET = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextlib.asynccontextmanager
async def tcp(url, first_bytes):
    """Yield a TCP connection that has sent these bytes."""
    reader, writer = await asyncio.open_connection(*address_of(url))
    opened = Bare(reader, writer)
    try:
        writer.write(first_bytes)
        yield opened
    finally:
        opened.cut()


async def blank_sid(url, settings, number):
    """A1: an upgrade with a blank session id. The client reads nothing of what follows."""
    request = UPGRADE.replace("transport=websocket", "transport=websocket&sid=", 1)
    async with tcp(url, request.encode()):
        await asyncio.sleep(HOLD_SECONDS)


async def first_close(url, settings, number):
    """A2: an Engine.IO close as the first packet."""
    opened = await Bare.open(url)
    opened.send("1")
    await ended(opened)


async def empty_frames(url, settings, number):
    """A3: many empty frames at once."""
    frames = list(EMPTY.values())[number % len(EMPTY)]
    opened = await Bare.open(url)
    # the first fragment names the kind of the message
    opened.writer.write((FIRST_FRAGMENT if frames == EMPTY["fragments"] else b"") + frames * FRAMES)
    await hold(opened)


async def unasked_packets(url, settings, number):
    """A4: acks, PONGs and UPGRADEs that the server did not ask for."""
    opened = await joined(url, settings, number)
    opened.writer.write(b"".join(map(client_frame, UNASKED)) * PACKETS)
    await hold(opened)


async def unread_close(url, settings, number):
    """A5: a close frame from a client that reads nothing."""
    opened = await Bare.open(url, tokens.token(settings, "soak-unread"), receive_bytes=SMALL_BUFFER_BYTES)
    opened.writer.transport.pause_reading()
    events = b"".join(client_frame(f"42{ack}{LEAVE_TEXT}") for ack in range(PACKETS))
    opened.writer.write(LONGEST_PING * FRAMES + events + client_frame(NORMAL, kind=CLOSE))
    await asyncio.sleep(HOLD_SECONDS)
    opened.cut()


async def no_request(url, settings, number):
    """A6: TCP without a request, half a header, an idle connection."""
    async with tcp(url, b"") as nothing, tcp(url, HALF_HEADER) as half, tcp(url, KEEP_ALIVE) as idle:
        for opened in (nothing, half, idle):
            await hold(opened, HEADER_SECONDS)


async def plain_requests(url, settings, number):
    """A7: many plain requests on one connection."""
    async with tcp(url, PLAIN_GET * REQUESTS) as opened:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HOLD_SECONDS):
                while await opened.reader.read(1 << 16):
                    pass


async def hold(opened, seconds=HOLD_SECONDS):
    """Wait for the server's end of the connection, then cut it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ended(opened)
    opened.cut()


ATTACKS = (blank_sid, first_close, empty_frames, unasked_packets, unread_close, no_request, plain_requests)


@contextlib.asynccontextmanager
async def under_attack(url, settings):
    """Run all attacks again and again during a block. Yield a count of them."""
    runs, is_over = Counter(), asyncio.Event()

    async def repeat(attack):
        while not is_over.is_set():
            with contextlib.suppress(OSError):
                await attack(url, settings, runs[attack.__name__])
            runs[attack.__name__] += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_SECONDS):
                    await is_over.wait()

    async with asyncio.TaskGroup() as group:
        for attack in ATTACKS:
            group.create_task(repeat(attack))
        try:
            yield runs
        finally:
            is_over.set()
