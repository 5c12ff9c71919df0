"""Tests of what the interview says about both Socket.IO libraries."""

import asyncio
import inspect
import json
import shutil
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import socketio
from aiohttp import web
from lab.servers.redis import running_redis

from good_server.tests.programs import installed

# the newest versions when these statements were written
NODE_PACKAGES = (
    "socket.io@4.8.4",
    "socket.io-client@4.8.4",
    "@socket.io/redis-adapter@8.3.0",
    "@socket.io/redis-streams-adapter@0.3.1",
    "@socket.io/redis-emitter@5.1.0",
    "redis@6.3.1",
)
NPM_SECONDS = 180
NODE_SECONDS = 60
# none may be lost by an early end of the script
NODE_STATEMENTS = 31
LIMIT = 10.0
WEBSOCKET = ["websocket"]


@pytest.fixture
def script(tmp_path):
    """Return the path of the script, beside the packages that it needs."""
    command = [installed("npm"), "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(tmp_path)]
    subprocess.run([*command, *NODE_PACKAGES], check=True, capture_output=True, timeout=NPM_SECONDS)
    return shutil.copy(Path(__file__).with_name("node_statements.mjs"), tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(NPM_SECONDS + NODE_SECONDS)
@pytest.mark.usefixtures("redis_program")
async def test_what_is_said_about_node_is_true(script):
    node = installed("node")
    async with running_redis() as redis:
        process = await asyncio.create_subprocess_exec(
            node, script, redis.url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            output, error = await asyncio.wait_for(process.communicate(), NODE_SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 0, error.decode()
    statements = json.loads(output)
    assert [statement for statement, holds in statements.items() if not holds] == []
    assert len(statements) == NODE_STATEMENTS


@asynccontextmanager
async def served(**options):
    """Run a stock python-socketio server; yield it and its URL."""
    server = socketio.AsyncServer(async_mode="aiohttp", **options)
    app = web.Application()
    server.attach(app)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield server, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await server.shutdown()
        await runner.cleanup()


@asynccontextmanager
async def connected(url, **options):
    """Connect a stock client that does not reconnect."""
    client = socketio.AsyncClient(reconnection=False, **options)
    await client.connect(url, transports=WEBSOCKET)
    try:
        yield client
    finally:
        await client.disconnect()


async def test_a_python_client_does_not_buffer_while_offline():
    with pytest.raises(socketio.exceptions.BadNamespaceError):
        await socketio.AsyncClient().emit("message")


async def test_a_handler_that_raises_sends_no_ack_and_the_call_ends():
    async with served() as (server, url), connected(url) as client:
        server.on("silent", handler_that_raises)
        with pytest.raises(socketio.exceptions.TimeoutError):
            await client.call("silent", timeout=0.2)
    assert inspect.signature(client.call).parameters["timeout"].default == 60


async def handler_that_raises(sid):
    raise ValueError("a mistake in the handler")


async def test_a_slow_event_of_a_client_is_overtaken():
    order, done, release = [], asyncio.Event(), asyncio.Event()

    async def slow(sid):
        await release.wait()
        order.append("slow")
        done.set()

    async def quick(sid):
        order.append("quick")
        release.set()

    async with served() as (server, url), connected(url) as client:
        server.on("slow", slow)
        server.on("quick", quick)
        await client.emit("slow")
        await client.emit("quick")
        await asyncio.wait_for(done.wait(), LIMIT)
    assert order == ["quick", "slow"]


async def test_targets_of_an_emit_in_python():
    got, sids = [], []

    async def connect(sid, environ, auth):
        await server.enter_room(sid, "r")
        await server.enter_room(sid, "q")
        sids.append(sid)

    async with served() as (server, url):
        server.on("connect", connect)
        server.on("settle", lambda sid: True)
        async with connected(url) as client:
            client.on("*", lambda event, *_: got.append(event))
            await server.emit("two rooms", to=["r", "q"])
            await server.emit("skipped", to="r", skip_sid=sids[0])
            await server.emit("nobody", to="elsewhere")
            for nothing in ([], "", None):
                await server.emit("everyone", to=nothing)
            await client.call("settle")
            assert server.manager.eio_sid_from_sid(sids[0], "/") != sids[0]
    assert got == ["two rooms", "everyone", "everyone", "everyone"]


async def test_python_has_neither_volatile_nor_fetch_sockets():
    async with served() as (server, _):
        assert "volatile" not in inspect.signature(server.emit).parameters
        assert not any("fetch" in name.lower() for name in dir(server))


async def test_a_reconnect_in_python_has_a_new_id_and_no_rooms():
    rooms, ids, again = [], [], asyncio.Event()

    async def connect(sid, environ, auth):
        rooms.append(server.rooms(sid))
        ids.append(sid)
        await server.enter_room(sid, "user:ana")
        if len(ids) == 2:
            again.set()

    async with served() as (server, url):
        server.on("connect", connect)
        # the factor is added to the delay, in seconds
        client = socketio.AsyncClient(reconnection_delay=0.01, randomization_factor=0)
        await client.connect(url, transports=WEBSOCKET)
        server.get_environ(ids[0])["aiohttp.request"].transport.abort()
        await asyncio.wait_for(again.wait(), LIMIT)
        await client.disconnect()
    assert len(set(ids)) == 2
    assert "user:ana" not in rooms[1]


async def test_the_disconnect_handler_still_sees_the_rooms():
    seen = asyncio.get_running_loop().create_future()
    async with served() as (server, url):
        server.on("connect", lambda sid, environ, auth: asyncio.ensure_future(server.enter_room(sid, "r")) and None)
        server.on("disconnect", lambda sid, reason: seen.set_result(server.rooms(sid)))
        async with connected(url):
            pass
        assert "r" in await asyncio.wait_for(seen, LIMIT)


async def test_a_socket_hears_broadcasts_while_its_connect_decides():
    deciding, release, heard = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def connect(sid, environ, auth):
        deciding.set()
        await release.wait()

    async with served() as (server, url):
        server.on("connect", connect)
        client = socketio.AsyncClient(reconnection=False)
        client.on("secret", lambda *_: heard.set())
        connecting = asyncio.create_task(client.connect(url, transports=WEBSOCKET))
        await asyncio.wait_for(deciding.wait(), LIMIT)
        await server.emit("secret")
        release.set()
        await connecting
        await asyncio.wait_for(heard.wait(), LIMIT)
        await client.disconnect()


async def test_python_checks_the_origin_of_a_websocket():
    async with served(cors_allowed_origins=["https://ours.example"]) as (_, url), aiohttp.ClientSession() as http:
        address = f"{url}/socket.io/?EIO=4&transport=websocket"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(address, headers={"Origin": "https://elsewhere.example"})
        assert refused.value.status == 400
        async with http.ws_connect(address, headers={"Origin": "https://ours.example"}) as socket:
            assert not socket.closed
