"""Tests that the log and a metric say why each connection ended."""

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from ...close_reasons import CloseReason
from ...events import SESSION_EVICTED
from ...gateway import abuse
from ...rooms import user_room
from ..stand_in import LEAVE_TEXT
from ..wire import SLOW_RECEIVE_BYTES, bare


async def leave(server, connect, ana):
    await ana.sio.disconnect()


async def lose(server, connect, ana):
    ana.sio.eio.ws._response.connection.transport.abort()


async def send_malformed(server, connect, ana):
    for _ in range(5):
        await ana.sio.eio.ws.send_str("42{bad")


async def send_a_reserved_name(server, connect, ana):
    await ana.sio.eio.ws.send_str('42["connect"]')


async def send_strays(server, connect, ana):
    for _ in range(5):
        await ana.sio.eio.ws.send_str('42/other,["x"]')


async def send_no_packet(server, connect, ana):
    await ana.sio.eio.ws.send_str("9")


async def send_wrong_utf8(server, connect, ana):
    await ana.sio.eio.ws.send_frame(b"\xff", 1)


async def leave_the_namespace(server, connect, ana):
    await ana.sio.eio.ws.send_str("41")


async def flood(server, connect, ana):
    for _ in range(20):
        await ana.sio.eio.ws.send_str("42" + LEAVE_TEXT)


async def open_another_tab(server, connect, ana):
    await connect("ana", to=server)
    await ana.receives(SESSION_EVICTED)


async def expire(server, connect, ana):
    server.application.clock.advance(4000)


async def drain(server, connect, ana):
    await server.ended()


WAYS = {
    lose: CloseReason.TRANSPORT_LOST,
    send_malformed: CloseReason.MALFORMED,
    send_a_reserved_name: CloseReason.MALFORMED,
    send_strays: CloseReason.MALFORMED,
    leave_the_namespace: CloseReason.CLIENT_LEFT,
    flood: CloseReason.FLOOD,
    open_another_tab: CloseReason.EVICTED,
    expire: CloseReason.EXPIRED,
    drain: CloseReason.DRAIN,
}


# on the library's own path these look like a lost transport
ENGINE_WAYS = {
    leave: CloseReason.CLIENT_LEFT,
    send_no_packet: CloseReason.MALFORMED,
    send_wrong_utf8: CloseReason.MALFORMED,
}
CASES = [pytest.param(way, reason, "engine", marks=pytest.mark.engine) for way, reason in (WAYS | ENGINE_WAYS).items()]
CASES += [(way, reason, "stock") for way, reason in WAYS.items()]


@pytest.mark.parametrize(("way", "reason", "delivery"), CASES)
async def test_the_end_of_a_connection_has_its_true_reason(
    serve, connect, until, clock, monkeypatch, way, reason, delivery
):
    monkeypatch.setattr(abuse, "NOTICE_SECONDS", -1.0)
    limits = {"sockets_per_user": 1, "refusals_per_minute": 5, "burst_seconds": 0.1}
    server = await serve(clock=clock, delivery=delivery, **limits)
    ana = await connect("ana", to=server, life_seconds=3600)
    with capture_logs() as logs:
        await way(server, connect, ana)
        await until(lambda: [entry for entry in logs if entry["event"] == "disconnected"])
    [entry] = [entry for entry in logs if entry["event"] == "disconnected"]
    assert (entry["user"], entry["reason"], entry["address"]) == ("ana", reason, "127.0.0.1")
    assert 0 < entry["seconds"] < 60
    counted = f'server_closes_total{{reason="{reason}"}} 1.0'
    assert counted.encode() in server.application.guards.metrics.exposition()


async def test_a_connection_without_pongs_ends_by_its_ping_timeout(serve, until):
    server = await serve(ping_interval_seconds=1, ping_timeout_seconds=0.2)
    with capture_logs() as logs:
        async with bare(server.url, server.token("ana")):
            await until(lambda: [entry for entry in logs if entry["event"] == "disconnected"])
    assert [entry["reason"] for entry in logs if entry["event"] == "disconnected"] == ["ping timeout"]


async def test_a_connect_is_logged_with_its_address_and_duration(server):
    with capture_logs() as logs:
        async with bare(server.url, None) as ana:
            await asyncio.sleep(0.02)
            ana.send("40" + json.dumps({"token": server.token("ana")}))
            assert (await ana.frame()).startswith("40{")
    [entry] = [entry for entry in logs if entry["event"] == "connected"]
    assert (entry["user"], entry["address"]) == ("ana", "127.0.0.1")
    assert 0.02 <= entry["seconds"] < 10


@pytest.mark.engine
async def test_a_client_that_reads_nothing_is_a_slow_reader(serve, until):
    server = await serve(outbox_bytes=100_000, delivery="engine")
    with capture_logs() as logs:
        async with bare(server.url, server.token("ana"), receive_bytes=SLOW_RECEIVE_BYTES):
            await until(lambda: server.members(user_room("ana")) == 1)
            for _ in range(200):
                await server.sio.emit("news", "x" * 50_000, room=[user_room("ana")])
            await until(lambda: [entry for entry in logs if entry["event"] == "disconnected"])
    assert [entry["reason"] for entry in logs if entry["event"] == "disconnected"] == ["slow reader"]
