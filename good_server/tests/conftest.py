"""Fixtures that all tests share, and the hooks that mark tests."""

import asyncio
import gc
import json
import os
import re
import time
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import anyio.to_process
import hypothesis
import pytest
import pytest_asyncio
import structlog

from .. import lifecycle
from ..gateway import session_expiry
from ..settings import Settings
from . import npm, stand_in, waiting
from .lanes import pytest_terminal_summary, pytest_xdist_auto_num_workers
from .pace import Lateness, check_pace
from .package import IMPORT_FOLDER, has_part
from .redis import RealRedis
from .servers import FREE_PORTS, ONE_ADDRESS, Clock, running
from .tabs import Tab
from .wire import SOCKETIO, Wire

__all__ = ["pytest_terminal_summary", "pytest_xdist_auto_num_workers"]

# no deadline, as the machine is shared; the same examples in each run, as a failure must be repeatable
hypothesis.settings.register_profile("tests", deadline=None, derandomize=True, max_examples=300)
hypothesis.settings.load_profile("tests")

# a test of a row of `WITHSTANDS.md` with the defence; the counterpart `…_fails_…` removes the defence
ROW = re.compile(r"test_row_\d\d_(?!fails_)")
# fixtures that start the program of another project
REAL_PARTS = {"redis", "nginx", "npm_folder"}
MARKERS = (
    "engine: only the delivery engine passes this",
    "needs(*parts): the test is skipped when one of these optional parts was deleted",
    "pace: no server loop may be late during this test; set for the rows of the ledger",
    "row(*numbers): the test belongs to these rows of the ledger, which its name does not say",
    "no_pace(reason): a row that measures the loop itself, or blocks it",
)


def pytest_addoption(parser):
    which = "the delivery path of the servers that do not choose one: `engine` (the default) or `stock`"
    default = "engine" if has_part("delivery") else "stock"
    parser.addoption("--delivery", choices=["engine", "stock"], default=default, help=which)


def pytest_configure(config):
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


def is_ours(item):
    return item.path.is_relative_to(Path(__file__).parent)


def is_held_to_pace(item):
    """Return whether this test must not delay a server's event loop."""
    is_row = asyncio.iscoroutinefunction(item.obj) and ROW.match(item.originalname)
    return bool(is_row) and not item.get_closest_marker("no_pace")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark slow, skipped and other special tests before `-m` selects tests."""
    for item in filter(is_ours, items):
        if REAL_PARTS & set(item.fixturenames) and not item.get_closest_marker("timing"):
            item.add_marker("slow")
        if is_held_to_pace(item):
            item.add_marker("pace")
        missing = {part for needs in item.iter_markers("needs") for part in needs.args if not has_part(part)}
        if missing:
            item.add_marker(pytest.mark.skip(reason=f"deleted parts: {', '.join(sorted(missing))}"))
        if item.get_closest_marker("engine") and item.config.getoption("--delivery") == "stock":
            item.add_marker(pytest.mark.skip(reason="the library's own path does not promise this"))
        # one event loop for all tests: the pool of report workers belongs to a loop and is slow to start
        if asyncio.iscoroutinefunction(item.obj):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session", autouse=True)
def found_from_anywhere():
    """Let child processes import the server from any working folder.

    The template may be a copy that is not installed.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(IMPORT_FOLDER))
        yield


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch, tmp_path):
    """Remove the caller's `SERVER_…` variables, and shorten pauses of the server.

    These are the pauses between two sweeps, between two looks at a session, and in a shutdown.
    """
    for name in [name for name in os.environ if name.startswith("SERVER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lifecycle, "SWEEP_SECONDS", 0.02)
    # a test that moves its clock does not wait for a timer
    monkeypatch.setattr(session_expiry, "LOOK_AGAIN_SECONDS", 0.02)
    monkeypatch.setattr(lifecycle, "GOODBYE_SECONDS", 0.02)


@pytest.fixture
def clock():
    return Clock()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def worker_pool():
    """Keep the report workers alive from test to test.

    anyio ends all worker processes together with the task that first asked for one. Here this fixture asks first, for a
    worker that ends at once.
    """
    with pytest.raises(anyio.BrokenWorkerProcess):
        await anyio.to_process.run_sync(os._exit, 0)


@pytest_asyncio.fixture(loop_scope="session")
async def nothing_lost():
    """Fail the test when an asyncio task ends with an unhandled error."""
    lost, loop = [], asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: lost.append(context))
    yield
    gc.collect(0)
    loop.set_exception_handler(None)
    assert lost == []


@pytest.fixture
def delivery(request):
    """The delivery path of the test servers: `engine` or `stock`.

    The option `--delivery` of pytest sets it. A test may choose another one for its server.
    """
    return request.config.getoption("--delivery")


@pytest.fixture(autouse=True, scope="session")
def plain_log():
    """Log without colours, because colours take 0.1 s in each test."""
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def in_pace(request):
    """Assert that an attack does not delay the server's event loop.

    The attackers run in the same loop, so the test is harder than reality. With several workers of pytest-xdist nothing
    is measured, because the workers take processor time from each other.
    """
    if "PYTEST_XDIST_WORKER" in os.environ or not request.node.get_closest_marker("pace"):
        yield
        return
    # the collector skips the objects that earlier tests left
    gc.freeze()
    lateness = Lateness()
    yield
    worst = await lateness.asked()
    lateness.end()
    gc.unfreeze()
    check_pace([worst])


@pytest.fixture
def create_app():
    """The function that builds a test server, with the stand-in product.

    `demo/` and `contract/` override this fixture to build the dispatch platform.
    """
    return stand_in.create_app


@pytest_asyncio.fixture(loop_scope="session")
async def serve(worker_pool, nothing_lost, delivery, create_app):
    """`await serve(**settings)` starts a server that stops after the test.

    It also takes the parameters `clock`, `entitlements`, `on_error`, `authenticator`, `services` and `routes` of
    `create_app`.
    """
    async with AsyncExitStack() as stack:

        async def start(*, clock=time.time, entitlements=None, on_error=None, authenticator=None, **settings):
            lists = {name: settings.pop(name, ()) for name in ("services", "routes")}
            chosen = Settings(**(FREE_PORTS | ONE_ADDRESS | {"report_workers": 1, "delivery": delivery} | settings))
            own = {"entitlements": entitlements, "on_error": on_error, "authenticator": authenticator}
            application = create_app(chosen, clock=clock, **own, **lists)
            return await stack.enter_async_context(running(application))

        yield start


@pytest_asyncio.fixture(loop_scope="session")
async def server(serve):
    return await serve()


@pytest_asyncio.fixture(loop_scope="session")
async def http():
    async with aiohttp.ClientSession() as session:
        yield session


@pytest_asyncio.fixture(loop_scope="session")
async def new_tab(http):
    """`new_tab()` returns an unconnected tab, which is closed after the test."""
    tabs = []

    def make(**options):
        tabs.append(Tab(http, **options))
        return tabs[-1]

    yield make
    for tab in tabs:
        await tab.shut_down()


@pytest.fixture
def connect(server, new_tab):
    """`await connect("ana", PRIVILEGED)` returns a connected tab of the user ana.

    The argument `to=` chooses another server.
    """

    async def open_tab(user, role=stand_in.PLAIN, *, to=server, token=None, client=None, **claims):
        tab = new_tab(**(client or {}))
        await tab.connect(to.url, token or to.token(user, role, **claims))
        return tab

    return open_tab


@pytest_asyncio.fixture(loop_scope="session")
async def dial(server, http):
    """`await dial(token=…)` opens a WebSocket without a client library.

    With a token, it has sent CONNECT and was accepted.
    """

    async def open_wire(*, to=None, token=None, path="", **options):
        address = (to or server).url + SOCKETIO + path
        wire = Wire(await http.ws_connect(address, **options))
        assert (await wire.frame()).startswith("0{")
        if token is not None:
            await wire.send("40" + json.dumps({"token": token}))
            wire.sid = json.loads((await wire.frame()).removeprefix("40"))["sid"]
        return wire

    return open_wire


@pytest.fixture
def until():
    """`await until(lambda: …)` waits until the condition is true."""
    return waiting.until


@pytest.fixture(scope="session")
def npm_folder(tmp_path_factory):
    """A folder with the npm packages of the tests, socket.io-client among them."""
    folder = tmp_path_factory.mktemp("npm")
    npm.install(folder)
    return folder


@pytest.fixture(scope="module")
def redis():
    """A real Redis server for the tests of one file.

    A test server uses it with the setting `redis_url=redis.url`.
    """
    with RealRedis() as server:
        yield server


# the characters of a test's name that a prefix may not hold
PLAIN = {code: "-" for code in range(128) if not chr(code).isalnum()}


@pytest.fixture
def shared(redis, request):
    """Return settings that all servers and report workers of one test share."""
    prefix = request.node.nodeid[-60:].translate(PLAIN)
    return {"redis_url": redis.url, "redis_prefix": prefix, "report_workers": 1}


@pytest_asyncio.fixture(loop_scope="session")
async def two(serve, shared, until):
    """`await two(**settings)` starts two servers that share one Redis."""

    async def start(**settings):
        servers = [await serve(**(shared | settings)) for _ in range(2)]
        for server in servers:
            await until(lambda server=server: server.application.guards.cluster.link.state == "up")
            # it receives its own heartbeat
            await until(lambda server=server: server.application.guards.cluster.link.has_own_heartbeat)
        return servers

    return start
