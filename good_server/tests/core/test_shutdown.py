"""Tests of the graceful shutdown of a server."""

import asyncio

import aiohttp
import pytest

from ... import lifecycle
from ...app import create_app
from ...events import REPORT_REQUEST, SERVER_CLOSING
from ...settings import Settings
from ..package import PACKAGE
from ..stand_in import topic


async def test_clients_are_sent_the_time_to_reconnect(server, connect):
    ana = await connect("ana")
    server.stop.set()
    closing = await ana.receives(SERVER_CLOSING)
    assert closing.keys() == {"retry_in"}
    assert 0 < closing["retry_in"] <= lifecycle.RETURN_WITHIN_SECONDS


async def test_clients_get_different_reconnect_times(server, connect):
    tabs = [await connect("ana") for _ in range(5)]
    server.stop.set()
    assert len({(await tab.receives(SERVER_CLOSING))["retry_in"] for tab in tabs}) > 1


@pytest.mark.row(33)
async def test_new_clients_get_retry_after_while_a_server_closes(server, connect, dial, monkeypatch):
    monkeypatch.setattr(lifecycle, "GOODBYE_SECONDS", 0.5)
    ana = await connect("ana")
    server.stop.set()
    await ana.receives(SERVER_CLOSING)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await dial()
    assert refusal.value.status == 503
    assert int(refusal.value.headers["Retry-After"]) >= 1


async def test_every_transport_is_closed_and_the_server_ends(server, connect, dial):
    ana, stranger = await connect("ana"), await dial()
    await server.ended()
    assert await ana.is_closed()
    assert await stranger.is_closed()


@pytest.mark.needs("reports")
async def test_a_server_ends_in_time_with_reports_in_progress(server, connect):
    ana = await connect("ana")
    await ana.ask(REPORT_REQUEST, {"kind": "outside", "size": 2000})
    await ana.ask(REPORT_REQUEST, {"kind": "cpu", "size": 2000})
    async with asyncio.timeout(1.5):
        await server.ended()


async def test_a_server_that_ended_frees_its_ports(server, serve):
    port, internal_port = (int(url.rsplit(":", 1)[1]) for url in (server.url, server.internal_url))
    await server.ended()
    again = await serve(port=port, internal_port=internal_port)
    assert again.url == server.url


async def test_stock_clients_reconnect_by_themselves(server, serve, connect):
    client = {"reconnection": True, "reconnection_delay": 0.02, "randomization_factor": 0}
    ana = await connect("ana", rooms=[topic("17")], client=client)
    await server.ended()
    assert await ana.is_closed()
    again = await serve(port=int(server.url.rsplit(":", 1)[1]))
    assert await ana.is_back()
    assert again.members(topic("17")) == 1


@pytest.mark.needs("reports")
async def test_no_task_is_left_behind(serve, connect):
    before = asyncio.all_tasks()
    server = await serve()
    ana = await connect("ana", to=server)
    await ana.ask(REPORT_REQUEST, {"kind": "outside", "size": 2000})
    await server.ended()
    assert await ana.is_closed()
    await ana.sio.shutdown()
    left = {task for task in asyncio.all_tasks() - before if PACKAGE in repr(task.get_coro())}
    assert left == set()


async def test_a_port_in_use_stops_the_start_and_frees_the_other(server, serve):
    taken = int(server.internal_url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match=f"{taken}: Address already in use"):
        await serve(internal_port=taken)


def test_two_applications_share_nothing():
    first, second = create_app(Settings()), create_app(Settings())
    # the clock is a function without state
    parts = [name for name in vars(first) if name != "clock"]
    assert [name for name in parts if getattr(first, name) is getattr(second, name)] == []
