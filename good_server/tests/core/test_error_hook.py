"""Tests of `on_error`, which passes unexpected errors to an error tracker."""

import asyncio
import json
import re
import zlib

import pytest
import pytest_asyncio
import sentry_sdk
from aiohttp import web
from socketio.exceptions import ConnectionError
from structlog.testing import capture_logs

from ...events import ROOM_JOIN
from ...gateway import Gateway
from ..entitlements import Broken
from ..package import FOLDER, PACKAGE, TEMPLATE_NAME
from ..stand_in import LEAVE, topic

CANARY = "canary-7f3a"
README = (FOLDER / "README.md").read_text("utf-8").replace(TEMPLATE_NAME, PACKAGE)
EXAMPLE = re.compile(r"```python\n((?:(?!```).)*sentry_sdk.*?)```", re.DOTALL)
JOIN = (ROOM_JOIN, {"room": topic("17")})


@pytest.fixture
def reported():
    """The calls of `on_error`, and the function to pass as `on_error`."""
    calls = []
    return calls, lambda error, **details: calls.append((error, details))


async def test_an_error_of_a_handler_is_reported(serve, connect, reported):
    calls, on_error = reported
    ana = await connect("ana", to=await serve(entitlements=Broken(CANARY), on_error=on_error))
    ack = await ana.ask(*JOIN)
    [(error, details)] = calls
    assert (type(error), str(error)) == (RuntimeError, CANARY)
    assert error.__traceback__ is not None
    assert details == {"user": "ana", "event": ROOM_JOIN, "id": ack["error"]["id"]}


async def test_an_error_of_a_connect_is_reported(serve, new_tab, reported, monkeypatch):
    calls, on_error = reported

    async def broken(auth, request):
        raise TypeError(CANARY)

    server, tab = await serve(on_error=on_error), new_tab()
    monkeypatch.setattr(server.application.guards.auth, "identify", broken)
    with pytest.raises(ConnectionError):
        await tab.connect(server.url, "x")
    [(error, details)] = calls
    assert (type(error), details["user"], details["event"]) == (TypeError, None, "connect")
    assert (await tab.refusal)["data"]["id"] == details["id"]


async def test_an_error_of_a_disconnect_is_reported(serve, connect, until, reported, monkeypatch):
    calls, on_error = reported

    async def broken(self, request):
        raise TypeError(CANARY)

    monkeypatch.setattr(Gateway, "left", broken)
    ana = await connect("ana", to=await serve(on_error=on_error))
    await ana.sio.disconnect()
    await until(lambda: calls)
    assert (calls[0][1]["user"], calls[0][1]["event"]) == ("ana", "disconnect")


@pytest.mark.parametrize("event", [LEAVE, ("no:such", {}), (ROOM_JOIN, {})])
async def test_what_the_client_did_wrong_is_not_reported(serve, connect, reported, event):
    calls, on_error = reported
    ana = await connect("ana", to=await serve(on_error=on_error))
    await ana.ask(*event)
    assert calls == []


async def test_an_error_of_the_hook_costs_no_answer(serve, connect):
    def broken(error, **details):
        raise ValueError("the tracker is away")

    ana = await connect("ana", to=await serve(entitlements=Broken(CANARY), on_error=broken))
    with capture_logs() as logs:
        assert await ana.code(*JOIN) == "internal"
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["failed", "on_error failed"]
    assert (await ana.ask(*LEAVE))["ok"]


class Tracker:
    """A stand-in for Sentry's server. It keeps the events that an SDK sends."""

    def __init__(self):
        self.events = asyncio.Queue()

    async def take(self, request):
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip":
            # aiohttp has unpacked what says how it is packed, in its newer versions
            body = body if body[:2] != b"\x1f\x8b" else zlib.decompress(body, 31)
        for line in body.splitlines():
            item = json.loads(line)
            if "exception" in item:
                self.events.put_nowait(item)
        return web.json_response({})


@pytest_asyncio.fixture(loop_scope="session")
async def tracker():
    """A tracker whose `dsn` an SDK takes."""
    tracker, app = Tracker(), web.Application()
    app.router.add_post("/api/1/envelope/", tracker.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    tracker.dsn = f"http://key@127.0.0.1:{runner.addresses[0][1]}/1"
    yield tracker
    # without its defaults: they would change the standard library for all later tests
    sentry_sdk.init(default_integrations=False)
    await runner.cleanup()


async def test_the_readmes_example_captures_errors(serve, connect, tracker):
    example = EXAMPLE.search(README)[1]
    code = compile(example, "example", "exec")
    names = {"__name__": "example"}
    exec(code, names)  # noqa: S102 - the code of the README
    # the same options as in the example
    [options] = re.findall(r'SENTRY_DSN"\], (.*)\)', example)
    exec(f"sentry_sdk.init(dsn, {options})", names | {"dsn": tracker.dsn})  # noqa: S102 - of the README, too
    ana = await connect("ana", to=await serve(entitlements=Broken(CANARY), on_error=names["capture"]))
    ack = await ana.ask(*JOIN)
    event = await asyncio.wait_for(tracker.events.get(), 10)
    [raised] = event["exception"]["values"]
    assert (raised["type"], raised["value"]) == ("RuntimeError", CANARY)
    assert raised["stacktrace"]["frames"][-1]["function"] == "may_join"
    assert event["user"] == {"id": "ana"}
    assert event["tags"] == {"event": ROOM_JOIN, "error_id": ack["error"]["id"]}
    assert "vars" not in raised["stacktrace"]["frames"][-1]
