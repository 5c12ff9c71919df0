"""Server of mistake 09 that makes reports in one of four ways.

The first way is the mistake itself: the handler computes and blocks the event loop. The other ways are what people try
instead: a thread, small slices, another process. The lab chooses the way while the server runs.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from anyio import to_process

from bad_server import mistake_09_works_in_the_handler
from good_server import events
from good_server.app import Application, Parts, assemble, create_parts
from good_server.events import ReportRequest
from good_server.gateway import Request
from good_server.rooms import user_room
from good_server.services.cpu import burn, run_in_worker
from good_server.services.reports import compose
from good_server.settings import Settings

APP = "lab.live.report_ways:create_app"
# on the public port of this server, which only the lab starts
PATH = "/lab/way"
IN_HANDLER = "handler"
SLICE_MILLISECONDS = 10


async def burn_in_thread(milliseconds: int) -> float:
    """Simulate the work of a report: use CPU time in a thread.

    The thread and the event loop share the interpreter's lock. Returns the seconds of CPU time.
    """
    return await asyncio.to_thread(burn, milliseconds)


async def burn_in_slices(milliseconds: int) -> float:
    """Simulate the work of a report on the event loop, in slices.

    The work uses CPU time. After each slice (10 ms), the loop may do other work. Returns the seconds of CPU time.
    """
    used = 0.0
    while used < milliseconds / 1000:
        used += burn(SLICE_MILLISECONDS)
        await asyncio.sleep(0)
    return used


async def burn_in_process(milliseconds: int) -> float:
    """Simulate the work of a report in a worker process.

    The good server does this, too. Returns the seconds of CPU time.
    """
    return await to_process.run_sync(run_in_worker, burn, milliseconds)


WAYS: dict[str, Callable[[int], Awaitable[float]]] = {
    "thread": burn_in_thread,
    "sliced": burn_in_slices,
    "process": burn_in_process,
}


class Handlers(mistake_09_works_in_the_handler.Handlers):
    """The handlers of mistake 09, which make reports in several ways.

    Mistake 09 is that a handler blocks the event loop. `way` says how the next report is made: `handler` (the handler
    computes), `thread`, `sliced` (on the event loop, in short slices) or `process`.
    """

    way = IN_HANDLER

    async def make_report(self, request: Request, wanted: ReportRequest) -> dict[str, Any]:
        """Make one report as the attribute `way` says, and send it.

        Returns the data of the ack: `{"job": id}`.
        """
        if self.way == IN_HANDLER or wanted.kind != "cpu":
            return await super().make_report(request, wanted)
        job = uuid.uuid4().hex
        report = compose(job, wanted.kind, await WAYS[self.way](wanted.size))
        await request.emit(events.REPORT_READY, report, to=(user_room(request.identity.user),))
        return {"job": job}

    async def choose_way(self, request: web.Request) -> web.Response:
        """Handle the lab's HTTP request that chooses how reports are made.

        All later reports are made in the way that the request names, such as `thread`.
        """
        self.way = (await request.json())["way"]
        return web.json_response({})


def create_app(settings: Settings) -> Application:
    """Create a server with mistake 09: a handler blocks the event loop. Its only namespace is `/`."""
    parts: Parts = create_parts(settings)
    handlers = Handlers("/", parts)
    application = assemble(parts, [handlers])
    application.public.router.add_post(PATH, handlers.choose_way)
    return application
