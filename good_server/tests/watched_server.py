"""A good server in a process of its own that is watched from outside its code.

Says its two URLs in a JSON line. To each line, the name of a room, it answers how late its loop was at worst since the
last one, its memory, and how many are in that room. Ends in order at SIGTERM or when its stdin ends; its last line is
how late it was after the last question, its end included.
"""

import asyncio
import signal
import sys

import psutil

from good_server.app import create_app
from good_server.lifecycle import loop_factory, serve
from good_server.observe import configure_logging
from good_server.settings import Settings
from good_server.tests.attacks import Lateness, say


async def answer(application, stop, lateness):
    memory = psutil.Process()
    stdin = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    while room := (await stdin.readline()).decode().strip():
        members = len(application.gateways[0].sids_in(room))
        say(await lateness.asked() | {"rss_mb": memory.memory_info().rss / 2**20, "members": members})
    stop.set()


async def main():
    application, stop = create_app(Settings()), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    lateness = Lateness()
    answering = asyncio.create_task(answer(application, stop, lateness))
    await serve(application, lambda addresses: say([addresses.public, addresses.internal]), stop)
    answering.cancel()
    say(await lateness.asked())


if __name__ == "__main__":
    configure_logging(json_lines=True)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main())
