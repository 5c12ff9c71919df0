"""Tests of services of a product, and of its plain HTTP routes."""

import asyncio
import os
import signal
import subprocess
import sys

import aiohttp
import pytest
from aiohttp import web

from ... import lifecycle
from ...app import create_app
from ...settings import Settings, SettingsError
from ..package import PACKAGE
from ..servers import FREE_PORTS
from ..stand_in import LEAVE
from ..waiting import PROCESS_SECONDS


class Pool:
    """A service that notes its steps in the list `steps`."""

    def __init__(self, steps, name="pool", *, start_error=None, stop_error=None):
        self.steps, self.name = steps, name
        self.start_error, self.stop_error = start_error, stop_error

    async def start(self):
        if self.start_error is not None:
            raise self.start_error
        self.steps.append(f"{self.name} starts")

    async def stop(self):
        self.steps.append(f"{self.name} stops")
        if self.stop_error is not None:
            raise self.stop_error


async def test_services_start_in_order_and_stop_in_reverse(serve):
    steps = []
    server = await serve(services=[Pool(steps, "a"), Pool(steps, "b")])
    assert steps == ["a starts", "b starts"]
    await server.ended()
    assert steps == ["a starts", "b starts", "b stops", "a stops"]


async def test_services_outlive_the_last_client(serve, connect, monkeypatch):
    steps = []
    server = await serve(services=[Pool(steps)])
    left = server.gateway.left

    async def noted(request):
        steps.append("client left")
        await left(request)

    monkeypatch.setattr(server.gateway, "left", noted)
    await connect("ana", to=server)
    await server.ended()
    assert steps == ["pool starts", "client left", "pool stops"]


async def test_a_service_that_fails_stops_the_ones_before_it(serve):
    steps, broken = [], Pool([], start_error=RuntimeError("no route to\ndatabase"))
    with pytest.raises(SettingsError, match=r"^Pool does not start: RuntimeError: no route to$"):
        await serve(services=[Pool(steps), broken, Pool(steps, "never")])
    assert steps == ["pool starts", "pool stops"]


@pytest.mark.parametrize("error", [ValueError(), TimeoutError(), KeyError("x")], ids=repr)
async def test_whatever_a_service_raises_is_one_line(serve, error):
    with pytest.raises(SettingsError, match=f"^Pool does not start: {type(error).__name__}"):
        await serve(services=[Pool([], start_error=error)])


async def test_a_service_that_does_not_stop_leaves_no_other_running(serve):
    steps = []
    server = await serve(services=[Pool(steps, "a"), Pool(steps, "b", stop_error=RuntimeError("stuck"))])
    await server.ended()
    assert steps[-2:] == ["b stops", "a stops"]


class Stuck(Pool):
    async def stop(self):
        await asyncio.Event().wait()


async def test_a_service_that_hangs_at_its_stop_is_given_up(serve):
    steps = []
    server = await serve(services=[Pool(steps), Stuck([])], shutdown_seconds=0.1)
    await server.ended()
    assert steps == ["pool starts", "pool stops"]


class Slow(Pool):
    def __init__(self, steps):
        super().__init__(steps)
        self.is_starting = asyncio.Event()

    async def start(self):
        self.is_starting.set()
        await asyncio.Event().wait()


async def test_a_server_can_be_stopped_while_a_service_starts():
    steps, slow, stop = [], Slow([]), asyncio.Event()
    application = create_app(Settings(**FREE_PORTS), services=[Pool(steps), slow])
    serving = asyncio.create_task(lifecycle.serve(application, lambda _: steps.append("ready"), stop))
    await slow.is_starting.wait()
    stop.set()
    await serving
    assert steps == ["pool starts", "pool stops"]


async def test_attached_services_live_as_long_as_the_application():
    steps, app = [], web.Application()
    lifecycle.attach(create_app(Settings(), services=[Pool(steps)]), app, "/rt")
    runner = web.AppRunner(app)
    await runner.setup()
    assert steps == ["pool starts"]
    await runner.cleanup()
    assert steps == ["pool starts", "pool stops"]


PROGRAM = f"""
import sys
from {PACKAGE}.__main__ import run
from {PACKAGE}.app import create_app
from {PACKAGE}.settings import load_settings

class Pool:
    async def start(self):
        if "broken" in sys.argv:
            raise ConnectionRefusedError("no database at 127.0.0.1")
        print("pool starts\\n", end="", flush=True)
    async def stop(self):
        print("pool stops\\n", end="", flush=True)

if __name__ == "__main__":
    workers = 2 if "two" in sys.argv else 1
    sys.exit(run("shop", load_settings(), lambda settings: create_app(settings, services=[Pool()]), workers=workers))
"""


@pytest.fixture
def program(tmp_path):
    """The command that runs a server with a service, and its environment."""
    # a name that no package can have: the product may be called `program`
    path = tmp_path / "_program.py"
    path.write_text(PROGRAM)
    ports = {"SERVER_PORT": "0", "SERVER_INTERNAL_PORT": "0"}
    return [sys.executable, str(path)], os.environ | ports


def test_a_failing_service_is_one_line_of_the_command(program):
    command, environment = program
    done = subprocess.run(
        [*command, "broken"], env=environment, capture_output=True, text=True, timeout=PROCESS_SECONDS
    )
    assert done.returncode == 2
    line = "shop: Pool does not start: ConnectionRefusedError: no database at 127.0.0.1\n"
    assert (done.stdout, done.stderr) == ("", line)


@pytest.mark.needs("cluster")
def test_each_of_two_processes_starts_its_own_service(program, redis):
    command, environment = program
    environment |= {"SERVER_REDIS_URL": redis.url}
    with subprocess.Popen([*command, "two"], env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = [next(process.stdout) for _ in range(3)]
            process.send_signal(signal.SIGTERM)
            rest, _ = process.communicate(timeout=PROCESS_SECONDS)
        finally:
            # does nothing after its end
            process.kill()
    assert sorted(line.split(" http")[0] for line in lines) == ["listening on", "pool starts\n", "pool starts\n"]
    assert (rest, process.returncode) == ("pool stops\n" * 2, 0)


@pytest.mark.needs("cluster")
def test_a_failing_service_of_two_processes_is_one_line(program, redis):
    command, environment = program
    environment |= {"SERVER_REDIS_URL": redis.url}
    done = subprocess.run(
        [*command, "two", "broken"], env=environment, capture_output=True, text=True, timeout=PROCESS_SECONDS
    )
    assert done.returncode == 2
    assert done.stderr.startswith("shop: Pool does not start: ConnectionRefusedError")
    assert len(done.stderr.splitlines()) == 1


async def hello(request):
    return web.Response(text="hello")


async def test_a_plain_route_is_served_beside_the_sockets(serve, connect, http):
    server = await serve(routes=[web.get("/hello", hello), web.post("/hello", hello)])
    ana = await connect("ana", to=server)
    async with http.get(f"{server.url}/hello") as answer:
        assert (answer.status, await answer.text()) == (200, "hello")
    assert (await ana.ask(*LEAVE))["ok"]
    with pytest.raises(aiohttp.ClientResponseError, match="404"):
        await http.get(f"{server.internal_url}/hello", raise_for_status=True)


async def test_a_pattern_for_every_path_leaves_the_servers_own(serve, connect, http):
    server = await serve(routes=[web.route("*", "/{rest:.*}", hello), web.get("/socket.io/{rest:.*}", hello)])
    assert (await (await connect("ana", to=server)).ask(*LEAVE))["ok"]
    async with http.get(f"{server.url}/healthz") as health, http.get(f"{server.url}/page/1") as page:
        assert (await health.text(), await page.text()) == ("ok\n", "hello")


WRONG_ROUTES = [
    (web.get("/socket.io/", hello), "the HTTP route /socket.io/ has a path of the server itself"),
    (web.post("/socket.io", hello), "the HTTP route /socket.io has a path of the server itself"),
    (web.get("/healthz", hello), "a path of the server itself|routes= takes aiohttp routes"),
    (web.put("/healthz", hello), "a path of the server itself"),
    (web.get("no-slash", hello), "routes= takes aiohttp routes"),
    (hello, "routes= takes aiohttp routes"),
]


@pytest.mark.parametrize(("route", "line"), WRONG_ROUTES, ids=range(len(WRONG_ROUTES)))
def test_a_route_that_could_not_work_stops_the_start(route, line):
    with pytest.raises(SettingsError, match=line) as error:
        create_app(Settings(), routes=[route])
    assert "\n" not in str(error.value)


def test_a_path_of_the_setting_is_taken_too():
    with pytest.raises(SettingsError, match="a path of the server itself"):
        create_app(Settings(path="/rt/"), routes=[web.static("/rt", os.getcwd())])
