"""A stand-in server that counts what it holds: `soak_server LOG [forgetful]`. It writes its URL as a JSON line.

Each line on stdin is a file, and the server writes the counts of sizes.py there.
"""

import asyncio
import json
import sys
from pathlib import Path

from ..app import assemble, create_parts
from ..gateway import Gateway
from ..lifecycle import serve
from ..observability import configure_logging
from ..runtime import loop_factory
from ..settings import Settings
from .attackers import say
from .log_file import log_to
from .sizes import measured
from .stand_in import create_app, create_routes


async def answer(application, stop):
    while file := (await asyncio.to_thread(sys.stdin.readline)).strip():
        # longer than the line that the other side can read
        await asyncio.to_thread(Path(file).write_text, json.dumps(measured(application)))
        say("written")
    stop.set()


class Forgetful(Gateway):
    """A gateway that leaks the id and a task of each socket."""

    def __init__(self, guards, routes):
        super().__init__("/", guards, routes)
        self.kept = {}

    async def joined(self, request):
        await super().joined(request)
        self.kept[request.sid] = asyncio.create_task(asyncio.Event().wait())


def build(*, is_forgetful):
    if not is_forgetful:
        return create_app(Settings())
    parts = create_parts(Settings())
    return assemble(parts, [Forgetful(parts.guards, create_routes(parts))])


async def run(kind):
    application, stop = build(is_forgetful=kind == "forgetful"), asyncio.Event()
    answering = asyncio.create_task(answer(application, stop))
    await serve(application, lambda addresses: say(addresses.public), stop)
    await answering


def main(log, kind=""):
    log_to(log)
    configure_logging(json_lines=True)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(run(kind))
