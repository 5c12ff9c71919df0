"""A bad server that stops answering, in C or in Python.

In C it also holds the interpreter, so that no other thread runs.

It does so at a request for `/spin/c` or `/spin/python`. With the environment variable `SPIN` set to one of both it does
so at its first client. `SPIN_MARK` is a file that it then makes.
"""

import asyncio
import collections
import itertools
import os
from pathlib import Path

from aiohttp import web

from bad_server import app


def spin_in_c():
    # no signal handler and no other thread runs meanwhile
    collections.deque(itertools.repeat(None), maxlen=0)


def spin_in_python():
    while True:
        pass


SPINS = {"c": spin_in_c, "python": spin_in_python}


def start_to_spin(kind):
    if "SPIN_MARK" in os.environ:
        Path(os.environ["SPIN_MARK"]).touch()
    SPINS[kind]()


async def spin(request):
    start_to_spin(request.match_info["kind"])


@web.middleware
async def spin_at_first_client(request, handler):
    if request.path.startswith("/socket.io"):
        asyncio.get_running_loop().call_soon(start_to_spin, os.environ["SPIN"])
    return await handler(request)


def create_app(settings):
    application = app.create_app(settings)
    application.public.router.add_get("/spin/{kind}", spin)
    if "SPIN" in os.environ:
        application.public.middlewares.append(spin_at_first_client)
    return application
