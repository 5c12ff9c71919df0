"""A stand-in server in its own process that reports measurements.

It writes its public and its internal URL as a JSON line. Then each line on stdin is the name of a room. The answer is a
JSON line with the worst delay of the event loop since the last answer, the resident memory of the process, and the
number of members of the room. The server shuts down at SIGTERM or when stdin ends. Its last line is the worst delay
since the last answer, the shutdown included.
"""

import asyncio
import gc
import signal
import sys

import psutil

from ..lifecycle import serve
from ..observability import configure_logging
from ..runtime import loop_factory
from ..settings import Settings
from .attackers import say
from .pace import Lateness
from .stand_in import create_app


async def answer(application, stop, lateness):
    memory = psutil.Process()
    stdin = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    while room := (await stdin.readline()).decode().strip():
        members = len(application.gateways[0].sids_in(room))
        say(await lateness.asked() | {"rss_mb": memory.memory_info().rss / 2**20, "members": members})
    stop.set()


async def serve_watched():
    application, stop = create_app(Settings()), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    lateness = Lateness()
    answering = asyncio.create_task(answer(application, stop, lateness))
    await serve(application, lambda addresses: say([addresses.public, addresses.internal]), stop)
    answering.cancel()
    say(await lateness.asked())


def main():
    configure_logging(json_lines=True)
    # as `run` does
    gc.set_threshold(10_000, 20, 20)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve_watched())
