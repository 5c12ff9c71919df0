"""Test what lessons 07 and 09 say about stock clients.

A plain server ends a user's older tab in several ways. The clients have their default settings.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import engineio
import pytest
import socketio
from aiohttp import WSMsgType, web
from lab.clients.chat_ring import poll_until
from lab.clients.tab import LAB_DELAYS, STOCK_DELAYS

# longer than the first delay of a stock client with its jitter
AWAY_SECONDS = STOCK_DELAYS.first + STOCK_DELAYS.jitter + 1.0
# two reconnects after the longest first delay make the four connects of a fight; twice this, for a busy machine
FIGHT_SECONDS = 4 * (STOCK_DELAYS.first + STOCK_DELAYS.jitter)
End = Callable[[socketio.AsyncServer, str], Awaitable[Any]]


async def close_transport(sio: socketio.AsyncServer, sid: str) -> None:
    sio.get_environ(sid)["aiohttp.request"].transport.close()


async def send_disconnect(sio: socketio.AsyncServer, sid: str) -> None:
    await sio.disconnect(sid)


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def one_tab_server(end: End) -> AsyncIterator[tuple[str, list[str]]]:
    """Serve an app that ends older connections; yield URL and ids."""
    sio, app, accepted = socketio.AsyncServer(async_mode="aiohttp"), web.Application(), list[str]()
    sio.attach(app)

    async def connect(sid: str, environ: Any, auth: Any = None) -> None:
        older, _ = accepted[-1:], accepted.append(sid)
        for one in older:
            with contextlib.suppress(KeyError, TypeError):
                await end(sio, one)

    sio.on("connect", connect)
    async with served(app) as url:
        yield url, accepted


@asynccontextmanager
async def two_python_tabs(url: str) -> AsyncIterator[list[socketio.AsyncClient]]:
    tabs = [socketio.AsyncClient(handle_sigint=False) for _ in range(2)]
    try:
        for tab in tabs:
            await tab.connect(url, transports=["websocket"])
        yield tabs
    finally:
        for tab in tabs:
            await tab.shutdown()
            if tab.eio.http is not None:
                await tab.eio.http.close()


def _holds(claim: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return claim()

    return holds


def test_stock_delays_are_the_defaults_of_the_library() -> None:
    client = socketio.AsyncClient(handle_sigint=False)
    found = client.reconnection_delay, client.reconnection_delay_max, client.randomization_factor
    assert found == (STOCK_DELAYS.first, STOCK_DELAYS.longest, STOCK_DELAYS.jitter)
    assert LAB_DELAYS.longest < STOCK_DELAYS.first - STOCK_DELAYS.jitter


async def test_python_tabs_fight_when_the_transport_is_closed() -> None:
    async with one_tab_server(close_transport) as (url, accepted), two_python_tabs(url):
        # the second connect ends the first tab, the third is that tab again, and it ends the second one
        assert await poll_until(_holds(lambda: len(accepted) >= 4), timeout=10)


@pytest.mark.slow
async def test_a_python_tab_stays_away_after_a_disconnect_packet() -> None:
    async with one_tab_server(send_disconnect) as (url, accepted), two_python_tabs(url) as tabs:
        # nothing happens when a client stays away, so there is no event to wait for
        await asyncio.sleep(AWAY_SECONDS)
        assert [tab.connected for tab in tabs] == [False, True]
        assert len(accepted) == 2


async def run_script(folder: Path, script: str, *arguments: str) -> Any:
    """Run a script with node and return the JSON that it prints."""
    process = await asyncio.create_subprocess_exec(
        "node", str(folder / script), *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(AWAY_SECONDS + 20):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return json.loads(output)


async def javascript_tabs(folder: Path, url: str, *options: str, seconds: float = AWAY_SECONDS) -> list[Any]:
    """Open two JavaScript tabs; return the connects, reasons and states of both."""
    tabs = await run_script(folder, "stock_tabs.mjs", url, str(seconds), *options)
    return [[tab[key] for tab in tabs] for key in ("connects", "reasons", "connected")]


@asynccontextmanager
async def node_server(folder: Path, how: str) -> AsyncIterator[str]:
    pipe = asyncio.subprocess.PIPE
    script = str(folder / "one_tab_server.mjs")
    process = await asyncio.create_subprocess_exec("node", script, how, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            port = int(await process.stdout.readline())
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()


STAYED_AWAY = [[1, 1], [["io server disconnect"], []], [False, True]]


def fought(tabs: list[Any]) -> bool:
    connects, reasons, _ = tabs
    return sum(connects) >= 4 and set(chain(*reasons)) == {"transport close"}


@pytest.mark.timeout(240)
async def test_javascript_tabs_fight_when_the_transport_is_closed(javascript: Path) -> None:
    async with one_tab_server(close_transport) as (url, _):
        assert fought(await javascript_tabs(javascript, url, seconds=FIGHT_SECONDS))
    async with node_server(javascript, "conn.close") as url:
        assert fought(await javascript_tabs(javascript, url, seconds=FIGHT_SECONDS))


@pytest.mark.timeout(240)
async def test_a_javascript_tab_stays_away_after_a_disconnect(javascript: Path) -> None:
    async with one_tab_server(send_disconnect) as (url, _):
        assert await javascript_tabs(javascript, url) == STAYED_AWAY
    for how in ("disconnect", "disconnect(true)"):
        async with node_server(javascript, how) as url:
            assert await javascript_tabs(javascript, url) == STAYED_AWAY, how
            async with two_python_tabs(url) as tabs:
                await asyncio.sleep(AWAY_SECONDS)
                assert [tab.connected for tab in tabs] == [False, True], how


@pytest.mark.timeout(240)
async def test_a_connect_by_hand_starts_the_fight_again(javascript: Path) -> None:
    async with node_server(javascript, "disconnect(true)") as url:
        connects, reasons, _ = await javascript_tabs(javascript, url, "by-hand")
    # far more often than the backoff of the library allows
    assert sum(connects) > 20
    assert set(chain(*reasons)) == {"io server disconnect"}


PING_SECONDS = 1


@asynccontextmanager
async def mute_server() -> AsyncIterator[str]:
    """Serve handshakes with short heartbeats, but send none; yield the URL."""

    async def answer(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        times = {"pingInterval": 1000 * PING_SECONDS, "pingTimeout": 1000 * PING_SECONDS, "maxPayload": 10**6}
        await socket.send_str("0" + json.dumps({"sid": "mute", "upgrades": [], **times}))
        async for message in socket:
            if message.type is WSMsgType.ERROR:
                break
        return socket

    app = web.Application()
    app.router.add_get("/engine.io/", answer)
    async with served(app) as url:
        yield url


def assert_gave_up_at_the_first_ping(seconds: float) -> None:
    # interval and timeout; a client that waited for a second heartbeat would take an interval more
    assert 2 * PING_SECONDS - 0.1 < seconds < 3 * PING_SECONDS


@pytest.mark.timing
async def test_a_python_client_gives_up_at_the_first_missing_ping() -> None:
    async with mute_server() as url:
        client, closed = engineio.AsyncClient(handle_sigint=False), asyncio.Event()
        client.on("disconnect", lambda reason: closed.set())
        await client.connect(url, transports=["websocket"])
        opened_at = time.monotonic()
        async with asyncio.timeout(10):
            await closed.wait()
        assert_gave_up_at_the_first_ping(time.monotonic() - opened_at)
        await client.http.close()


@pytest.mark.timing
@pytest.mark.timeout(240)
async def test_a_javascript_client_gives_up_at_the_first_ping(javascript: Path) -> None:
    async with mute_server() as url:
        gave_up = await run_script(javascript, "first_missed_ping.mjs", url)
    assert gave_up["reason"] == "ping timeout"
    assert_gave_up_at_the_first_ping(gave_up["milliseconds"] / 1000)


def test_a_python_server_has_the_defaults_of_lessons_09_and_10() -> None:
    server = engineio.AsyncServer(async_mode="aiohttp")
    assert (server.ping_interval, server.ping_timeout, server.max_http_buffer_size) == (25, 20, 1_000_000)


@pytest.mark.timeout(240)
async def test_a_node_server_has_the_same_defaults(javascript: Path) -> None:
    facts = await run_script(javascript, "server_facts.mjs")
    defaults = {"maxHttpBufferSize": 1_000_000, "pingInterval": 25_000, "pingTimeout": 20_000}
    # `socket.use` stops an event without an answer
    assert facts == {"acked": False, **defaults}
