"""A stand-in server that counts what it holds: `soak_server LOG`. It writes its URL as a JSON line.

Each line on stdin is a file, and the server writes the counts of sizes.py there.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from ..lifecycle import serve
from ..observability import configure_logging
from ..runtime import loop_factory
from ..settings import Settings
from .attackers import say
from .sizes import measured
from .stand_in import create_app


async def answer(application, stop):
    while file := (await asyncio.to_thread(sys.stdin.readline)).strip():
        # longer than the line that the other side can read
        await asyncio.to_thread(Path(file).write_text, json.dumps(measured(application)))
        say("written")
    stop.set()


async def run():
    application, stop = create_app(Settings()), asyncio.Event()
    answering = asyncio.create_task(answer(application, stop))
    await serve(application, lambda addresses: say(addresses.public), stop)
    await answering


def main(log):
    with open(log, "ab", buffering=0) as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    configure_logging(json_lines=True)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(run())
