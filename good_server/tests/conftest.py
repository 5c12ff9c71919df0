"""What the tests share: a served good server on a port of its own, and real clients that are closed at the end."""

import asyncio
import gc
import json
import os
import time
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path

import aiohttp
import anyio.to_process
import hypothesis
import pytest
import pytest_asyncio
import socketio
import structlog

import good_server
from good_server import lifecycle, rooms
from good_server.app import create_app
from good_server.auth import make_token
from good_server.roles import Role
from good_server.settings import Settings
from good_server.tests.attacks import Lateness, check_pace
from good_server.tests.real_redis import RealRedis

# no deadline, as the machine is shared; no dice, as a red test must stay red
hypothesis.settings.register_profile("tests", deadline=None, derandomize=True, max_examples=300)
hypothesis.settings.load_profile("tests")
# generous, as the machine is shared; no test waits this long unless it fails
WAIT_SECONDS = 10.0
FENCE = "test:fence"


def pytest_addoption(parser):
    which = "the delivery path of the servers that do not choose one: `engine` (the default) or `stock`"
    parser.addoption("--delivery", choices=["engine", "stock"], default="engine", help=which)


def pytest_configure(config):
    config.addinivalue_line("markers", "engine: promises that only the delivery engine keeps")


def pytest_collection_modifyitems(items):
    """One event loop for all tests here: the worker processes of reports, slow to start, belong to a loop."""
    skip = pytest.mark.skip(reason="the library's own path does not promise this")
    for item in items:
        if item.get_closest_marker("engine") and item.config.getoption("--delivery", default="engine") == "stock":
            item.add_marker(skip)
        if item.path.is_relative_to(Path(__file__).parent) and asyncio.iscoroutinefunction(item.obj):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session", autouse=True)
def found_from_anywhere():
    """Child processes import the server from any folder, also where the template was copied and not installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(good_server.__file__).parents[1]))
        yield


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch, tmp_path):
    """No setting of whoever runs the tests, no `.env`, and sweeps and goodbyes at the pace of tests."""
    for name in [name for name in os.environ if name.startswith("SERVER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lifecycle, "SWEEP_SECONDS", 0.02)
    monkeypatch.setattr(lifecycle, "GOODBYE_SECONDS", 0.02)


class Clock:
    """Seconds since the epoch that pass only when told to."""

    def __init__(self):
        self.now = float(int(time.time()))

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


class Server:
    """A good server in this process, and what tests ask of it."""

    def __init__(self, application, addresses, stop, task):
        self.application, self.addresses, self.stop, self.task = application, addresses, stop, task
        self.url, self.internal_url = addresses.public, addresses.internal
        self.settings, self.sio, self.gateway = application.settings, application.sio, application.gateways[0]
        self._fences = count()

    def token(self, user, role="vendor", **claims):
        return make_token(self.settings, user, Role(role), clock=self.application.clock, **claims)

    def members(self, room):
        return len(self.gateway.sids_in(room))

    async def fence(self, *tabs):
        """What each tab heard until now: everything sent before has arrived once the fence has."""
        number = next(self._fences)
        await self.sio.emit(FENCE, number, room=list(rooms.everyone()))
        return [await tab.heard_until_fence(number) for tab in tabs]

    async def ended(self):
        self.stop.set()
        await asyncio.wait_for(self.task, WAIT_SECONDS)


@asynccontextmanager
async def running(application):
    ready, stop = asyncio.get_running_loop().create_future(), asyncio.Event()
    task = asyncio.create_task(lifecycle.serve(application, ready.set_result, stop))
    await asyncio.wait({task, ready}, timeout=WAIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    server = Server(application, ready.result() if ready.done() else await task, stop, task)
    try:
        yield server
    finally:
        await server.ended()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def worker_pool():
    """anyio ends all workers with the task that first asked for one: that is this one, and its worker is gone."""
    with pytest.raises(anyio.BrokenWorkerProcess):
        await anyio.to_process.run_sync(os._exit, 0)


@pytest_asyncio.fixture(loop_scope="session")
async def nothing_lost():
    """Fails the test when a task or callback ended in an error that nobody saw."""
    lost, loop = [], asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: lost.append(context))
    yield
    gc.collect(0)
    loop.set_exception_handler(None)
    assert lost == []


@pytest.fixture
def delivery(request):
    """The path that servers take unless a test chooses: `pytest good_server/tests --delivery stock` tests the other."""
    return request.config.getoption("--delivery", default="engine")


# tests that hold it up themselves
HOLD_THE_LOOP = {
    "test_row_31_a_reader_that_stops_but_pongs_is_closed": "its server is watched apart",
}


@pytest.fixture(autouse=True, scope="session")
def plain_log():
    """Without this, what is logged in tests that configure nothing is drawn in colours, at a tenth of a second each."""
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def in_pace(request):
    """No attack of a row holds up the loop of a server here; the clients share that loop, so it is the harder test."""
    name, is_awaited = request.function.__name__, asyncio.iscoroutinefunction(request.function)
    if not (is_awaited and name.startswith("test_row_")) or "convicted" in name or name in HOLD_THE_LOOP:
        yield
        return
    # what earlier tests left on the heap is not the server's to walk through
    gc.freeze()
    lateness = Lateness()
    yield
    worst = await lateness.asked()
    lateness.end()
    gc.unfreeze()
    check_pace([worst])


@pytest_asyncio.fixture(loop_scope="session")
async def serve(worker_pool, nothing_lost, delivery):
    """`await serve(clock=…, entitlements=…, any_setting=…)`: a server that ends with the test."""
    async with AsyncExitStack() as stack:

        async def start(*, clock=time.time, entitlements=None, **settings):
            chosen = Settings(**({"port": 0, "internal_port": 0, "report_workers": 1, "delivery": delivery} | settings))
            application = create_app(chosen, entitlements=entitlements, clock=clock)
            return await stack.enter_async_context(running(application))

        yield start


@pytest_asyncio.fixture(loop_scope="session")
async def server(serve):
    return await serve()


@pytest_asyncio.fixture(loop_scope="session")
async def http():
    async with aiohttp.ClientSession() as session:
        yield session


class Tab:
    """One browser tab: a real client that keeps what it hears."""

    def __init__(self, http, **options):
        self.sio = socketio.AsyncClient(http_session=http, handle_sigint=False, **({"reconnection": False} | options))
        self.inbox = asyncio.Queue()
        self.refusal = asyncio.get_running_loop().create_future()
        self.closed, self.connected = asyncio.Event(), asyncio.Event()
        self.sio.on("*", lambda event, data: self.inbox.put_nowait((event, data)))
        self.sio.on("connect", self.connected.set)
        self.sio.on("connect_error", lambda data: self.refusal.set_result(data))
        self.sio.on("connect_error", lambda _, data: self.refusal.set_result(data), namespace="*")
        self.sio.on("disconnect", lambda reason: (self.connected.clear(), self.closed.set()))

    async def connect(self, url, token, **options):
        auth = token if callable(token) or token is None else {"token": token}
        await self.sio.connect(
            url, auth=auth, **({"transports": ["websocket"], "wait_timeout": WAIT_SECONDS} | options)
        )

    async def ask(self, event, data=None):
        """The ack."""
        return await self.sio.call(event, data, timeout=WAIT_SECONDS)

    async def code(self, event, data=None):
        """The code of the refusal that is the ack."""
        return (await self.ask(event, data))["error"]["code"]

    async def hears(self, event):
        """The payload of the next such event; others before it are passed over."""
        while True:
            name, data = await asyncio.wait_for(self.inbox.get(), WAIT_SECONDS)
            if name == event:
                return data

    async def heard_until_fence(self, number):
        heard = []
        while (item := await asyncio.wait_for(self.inbox.get(), WAIT_SECONDS)) != (FENCE, number):
            heard += [item] if item[0] != FENCE else []
        return heard

    async def is_closed(self):
        return await asyncio.wait_for(self.closed.wait(), WAIT_SECONDS)

    async def is_back(self):
        """After `is_closed`: the client has connected again by itself."""
        return await asyncio.wait_for(self.connected.wait(), WAIT_SECONDS)


@pytest_asyncio.fixture(loop_scope="session")
async def new_tab(http):
    """`new_tab()`: a tab that is not connected yet, and closed at the end."""
    tabs = []

    def make(**options):
        tabs.append(Tab(http, **options))
        return tabs[-1]

    yield make
    for tab in tabs:
        # `shutdown` says its word to an attempt to reconnect that may not have begun, and then would wait for ever
        tab.sio.reconnection = False
        await asyncio.sleep(0)
        await tab.sio.shutdown()


@pytest.fixture
def connect(server, new_tab):
    """`await connect("ana", "driver", company="acme")`: a connected tab; `to=` another server."""

    async def open_tab(user, role="vendor", *, to=server, token=None, client=None, **claims):
        tab = new_tab(**(client or {}))
        await tab.connect(to.url, token or to.token(user, role, **claims))
        return tab

    return open_tab


class Wire:
    """A bare WebSocket, for what no client library would send. Frames are Engine.IO text: `42[...]` is an event."""

    def __init__(self, websocket):
        self.websocket = websocket

    async def send(self, frame):
        await (self.websocket.send_bytes if isinstance(frame, bytes) else self.websocket.send_str)(frame)

    async def frame(self):
        """The next frame, or None once the server has closed."""
        message = await self.websocket.receive(timeout=WAIT_SECONDS)
        return message.data if message.type is aiohttp.WSMsgType.TEXT else None

    async def ack(self, id):
        """The ack with this id."""
        while not (frame := await self.frame() or "closed").startswith(f"43{id}["):
            assert frame != "closed"
        return json.loads(frame.removeprefix(f"43{id}"))[0]

    async def is_closed(self):
        while await self.frame() is not None:
            pass
        return True


@pytest_asyncio.fixture(loop_scope="session")
async def dial(server, http):
    """`await dial(token=…)`: a bare WebSocket; with a token it has said CONNECT and was let in."""

    async def open_wire(*, to=None, token=None, path="", **options):
        address = (to or server).url + "/socket.io/?EIO=4&transport=websocket" + path
        wire = Wire(await http.ws_connect(address, **options))
        assert (await wire.frame()).startswith("0{")
        if token is not None:
            await wire.send("40" + json.dumps({"token": token}))
            wire.sid = json.loads((await wire.frame()).removeprefix("40"))["sid"]
        return wire

    return open_wire


@pytest.fixture
def until():
    """`await until(lambda: …)`: waits for what no event tells; fails when it does not come true in time."""

    async def come_true(condition, seconds=WAIT_SECONDS):
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.005)

    return come_true


@pytest.fixture(scope="module")
def redis():
    """A real Redis for the tests of one file; `await serve(redis_url=redis.url)` is one of several processes then."""
    with RealRedis() as server:
        yield server
