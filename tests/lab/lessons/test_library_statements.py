"""Tests what the lessons state about python-socketio, on a stock server.

The same statements about Socket.IO for Node were tried with version 4.8.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import socketio
from aiohttp import web

LOGIN_SECONDS = 0.5


class Stock:
    """A stock server with one client in the room `user:7`."""

    def __init__(self) -> None:
        self.sio = socketio.AsyncServer(async_mode="aiohttp")
        self.client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        self.received: asyncio.Queue[Any] = asyncio.Queue()
        self.rooms_at_disconnect: asyncio.Queue[list[str]] = asyncio.Queue()
        self.login_begins = asyncio.Event()
        self.url = ""

    async def connect(self, sid: str, _: Any, auth: Any = None) -> None:
        if auth:
            self.login_begins.set()
            await asyncio.sleep(LOGIN_SECONDS)
        await self.sio.enter_room(sid, "user:7")

    async def disconnect(self, sid: str, _: Any) -> None:
        self.rooms_at_disconnect.put_nowait(self.sio.rooms(sid))

    async def next(self) -> Any:
        return await asyncio.wait_for(self.received.get(), 5)


@pytest.fixture
async def stock() -> AsyncIterator[Stock]:
    found, app = Stock(), web.Application()
    found.sio.attach(app)
    found.sio.on("connect", found.connect)
    found.sio.on("disconnect", found.disconnect)
    found.client.on("*", lambda event, data: found.received.put_nowait(data))
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    await found.client.connect(found.url, transports=["websocket"])
    try:
        yield found
    finally:
        await found.client.shutdown()
        await found.sio.shutdown()
        await runner.cleanup()


@pytest.mark.parametrize("empty", [[], "", None])
async def test_an_empty_target_means_everyone(stock: Stock, empty: Any) -> None:
    await stock.sio.emit("news", "to nobody", to="a room without sockets")
    await stock.sio.emit("news", "to an empty target", to=empty)
    assert await stock.next() == "to an empty target"


async def test_a_socket_whose_login_is_checked_hears_a_broadcast(stock: Stock) -> None:
    url = f"{stock.url}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await socket.receive_str()
        await socket.send_str('40{"token": "not checked yet"}')
        await asyncio.wait_for(stock.login_begins.wait(), 5)
        await stock.sio.emit("news", "before the answer to its login")
        assert await socket.receive_str() == '42["news","before the answer to its login"]'


async def test_the_closing_socket_is_still_in_its_rooms(stock: Stock) -> None:
    await stock.client.disconnect()
    assert "user:7" in await asyncio.wait_for(stock.rooms_at_disconnect.get(), 5)


async def test_the_sockets_of_a_room_are_listed_without_waiting(stock: Stock) -> None:
    listed = stock.sio.manager.get_participants("/", "user:7")
    assert not inspect.isawaitable(listed)
    assert [sid for sid, _ in listed] == [stock.client.get_sid()]
