"""Main function of a server process: runs a server and its probe.

The probe is code of the lab that measures the process.
"""

import asyncio
import contextlib
import importlib
import os
import signal
import sys
import types
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection

from aiohttp import web

from good_server.lifecycle import serve
from good_server.observability import configure_logging
from good_server.runtime import Addresses, loop_factory
from good_server.settings import load_settings
from lab.servers.probe import ProcessProbe
from lab.system.spawn import prepare_child_process


def run(app: str, settings: Mapping[str, str], log_path: str, pipe: Connection) -> None:
    """Serve `app` and its probe until the process ends.

    `app` names a function as `module:function`. The function takes the settings and returns the application. The
    argument `settings` has environment variables. The output of the process goes into the file `log_path`. Sends one
    message through `pipe`: `("ready", public URL, probe URL)` or `("failed", reason)`. The probe is code of the lab
    that measures the process.
    """
    prepare_child_process()
    # worker processes of the server import the main module again, and that must not be the lab's
    sys.modules["__main__"] = types.ModuleType("__main__")
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    for name in [name for name in os.environ if name.startswith("SERVER_")]:
        del os.environ[name]
    os.environ.update(settings)
    configure_logging(json_lines=True)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_serve(app, lambda public, probe: pipe.send(("ready", public, probe))))
    except Exception as error:  # noqa: BLE001 - any error must be reported to the lab
        with contextlib.suppress(OSError):
            pipe.send(("failed", f"{type(error).__name__}: {error}"))
        sys.exit(1)


async def _serve(app: str, ready: Callable[[str, str], None]) -> None:
    probe = ProcessProbe()
    # before the app is built, because building it may open a database
    probe.install()
    module, _, function = app.partition(":")
    application = getattr(importlib.import_module(module), function)(load_settings(_env_file=None))
    probe.attach(application.sio)
    runner = web.AppRunner(probe.app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    stop = asyncio.Event()
    with contextlib.suppress(NotImplementedError):  # Windows, where terminate() sends no signal
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    lag = asyncio.create_task(probe.watch_lag())

    def announce(addresses: Addresses) -> None:
        probe.internal_url = addresses.internal
        ready(addresses.public, address)

    try:
        await serve(application, announce, stop)
    finally:
        lag.cancel()
        await runner.cleanup()
