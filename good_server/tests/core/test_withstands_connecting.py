"""Tests of rows 12 to 17 of `WITHSTANDS.md`: how clients connect."""

import asyncio
import contextlib
import json
import logging
import socket
from unittest.mock import AsyncMock

import pytest
from structlog.testing import capture_logs

from ... import admission, client_address, closing
from ...settings import Settings
from ..checks import AT_ONCE_SECONDS, notices_nothing
from ..servers import DELIVERIES
from ..stand_in import LEAVE
from ..wire import SOCKETIO, UPGRADE_HEADERS, upgraded

PROXY = "127.0.0.1"
OWN_ORIGIN = "https://app.example"
FOREIGN = [
    "https://evil.example",
    "null",
    "",
    "https://app.example.evil.example",
    "https://notapp.example",
    "http://app.example",
    "https://app.example:8443",
    "https://app.example/",
    "https://APP.example",
]


async def check_origins(server, connect, http, **headers):
    bob = await connect("bob", to=server)
    for origin in FOREIGN:
        for path in (SOCKETIO, SOCKETIO.replace("websocket", "polling")):
            status, answer = await upgraded(http, server, path=path, Origin=origin, **headers)
            assert status == 403, f"{origin} was answered {status}"
            assert not [name for name in answer if name.lower().startswith("access-control")]
    await notices_nothing(server, bob)


async def test_row_12_a_foreign_origin_is_refused_by_http(serve, connect, http):
    await check_origins(await serve(allowed_origins=[OWN_ORIGIN]), connect, http)


@pytest.mark.parametrize("origins", [[], [OWN_ORIGIN]])
async def test_row_12_a_forged_forwarded_host_changes_nothing(serve, connect, http, origins):
    server = await serve(allowed_origins=origins)
    await check_origins(server, connect, http, X_Forwarded_Host="evil.example", X_Forwarded_Proto="https")


@pytest.mark.parametrize("origins", [[], [OWN_ORIGIN]])
async def test_row_12_the_own_origin_and_no_origin_are_admitted(serve, dial, origins):
    server = await serve(allowed_origins=origins)
    own = origins[0] if origins else server.url
    for headers in ({"Origin": own}, {}):
        await dial(to=server, token=server.token("ana"), headers=headers)


async def test_row_12_fails_without_its_defence(serve, connect, http, monkeypatch):
    monkeypatch.setattr(Settings, "allows_origin", lambda self, origin, host: True)
    with pytest.raises(AssertionError, match="was answered 101"):
        await check_origins(await serve(allowed_origins=[OWN_ORIGIN]), connect, http)


async def check_forwarded(server, connect, http, forwarded, *, counted_as_one):
    """Assert how the server counts connections with these forwarded addresses.

    After them, one more connection is refused with `counted_as_one`, and accepted without it.
    """
    bob = await connect("bob", to=server)
    answers = []
    for address in forwarded:
        wire = await http.ws_connect(server.url + SOCKETIO, headers=[("X-Forwarded-For", hop) for hop in address])
        answers.append(wire)
    status, _ = await upgraded(http, server, X_Forwarded_For=",".join(forwarded[0]))
    assert status == (429 if counted_as_one else 101), f"was answered {status}"
    await notices_nothing(server, bob)


async def test_row_13_a_forged_address_is_ignored(serve, connect, http):
    server = await serve(sockets_per_address=3)
    await check_forwarded(server, connect, http, [["192.0.2.1"], ["192.0.2.2"]], counted_as_one=True)


SAME = {
    "a forged first hop": [["198.51.100.1, 192.0.2.7"], ["198.51.100.2, 192.0.2.7"]],
    "a forged header of its own": [["198.51.100.1", "192.0.2.7"], ["198.51.100.2", "192.0.2.7"]],
    "ports": [["192.0.2.7:1001"], ["192.0.2.7:1002"]],
    "forms of IPv6": [["[2001:db8::1]:443"], ["2001:0db8:0:0:0:0:0:1"]],
    "one network of IPv6": [["2001:db8::1"], ["2001:db8::ffff:0:0:2"]],
    "IPv4 in IPv6": [["::ffff:192.0.2.7"], ["192.0.2.7"]],
    "zones": [["fe80::1%eth0"], ["fe80::1%eth1"]],
    "other proxies": [["192.0.2.7, 10.0.0.1"], ["192.0.2.7, 10.0.0.2, 10.0.0.1"]],
    "garbage": [["x"], ["'; --"]],
}


@pytest.mark.parametrize("how", SAME)
async def test_row_13_all_spellings_of_one_address_count_as_one(serve, connect, http, how):
    # garbage is counted as the proxy's address, and the bystander has that address too
    server = await serve(sockets_per_address=3 if how == "garbage" else 2, trusted_proxies=[PROXY, "10.0.0.0/8"])
    await check_forwarded(server, connect, http, SAME[how], counted_as_one=True)


@pytest.mark.parametrize("two", [("192.0.2.1", "192.0.2.2"), ("2001:db8:0:1::1", "2001:db8:0:2::1")])
async def test_row_13_behind_a_proxy_two_addresses_count_as_two(serve, connect, http, two):
    server = await serve(sockets_per_address=2, trusted_proxies=[PROXY])
    await check_forwarded(server, connect, http, [[address] for address in two], counted_as_one=False)


async def test_row_13_fails_without_its_defence(serve, connect, http, monkeypatch):
    monkeypatch.setattr(client_address.ClientAddresses, "_is_proxy", lambda self, address: True)
    server = await serve(sockets_per_address=3)
    with pytest.raises(AssertionError, match="was answered 101"):
        await check_forwarded(server, connect, http, [["192.0.2.1"], ["192.0.2.2"]], counted_as_one=True)


async def check_silent(server, connect, dial):
    bob = await connect("bob", to=server)
    wire = await dial(to=server)
    async with asyncio.timeout(AT_ONCE_SECONDS):
        await wire.is_closed()
    await notices_nothing(server, bob)


@pytest.mark.parametrize("delivery", DELIVERIES)
async def test_row_14_a_transport_that_never_sends_connect_is_closed(serve, connect, dial, delivery):
    await check_silent(await serve(handshake_seconds=0.5, delivery=delivery), connect, dial)


async def test_row_14_repeated_refusals_close_the_transport_at_once(server, connect, dial):
    bob, wire = await connect("bob"), await dial()
    for number in range(50):
        await wire.send(f'40{{"token":"{number}"}}')
    async with asyncio.timeout(AT_ONCE_SECONDS):
        while (frame := await wire.frame()) is not None:
            assert frame.startswith("44")
    assert server.members(None) == 1
    await notices_nothing(server, bob)


async def test_row_14_fails_without_its_defence(serve, connect, dial, monkeypatch):
    monkeypatch.setattr(admission, "close_transport", lambda environ, reason: None)
    with pytest.raises(TimeoutError):
        await check_silent(await serve(handshake_seconds=0.5), connect, dial)


async def check_flood(server, connect, http, status):
    bob = await connect("bob", to=server)
    answers = [await upgraded(http, server) for _ in range(20)]
    refused = [headers for code, headers in answers if code == status]
    assert refused, f"nobody was refused: {[code for code, _ in answers]}"
    assert all(int(headers["Retry-After"]) >= 1 for headers in refused)
    await notices_nothing(server, bob)


async def test_row_15_a_flood_from_one_address_does_not_block_others(serve, connect, http, dial):
    server = await serve(sockets_per_address=3, trusted_proxies=[PROXY])
    flood = {"X-Forwarded-For": "192.0.2.66"}
    held = [await dial(to=server, headers=flood) for _ in range(3)]
    status, headers = await upgraded(http, server, **flood)
    assert (status, int(headers["Retry-After"]) >= 1) == (429, True)
    bob = await connect("bob", to=server)
    assert not any(wire.websocket.closed for wire in held)
    await notices_nothing(server, bob)


async def test_row_15_connections_too_fast_get_retry_after(serve, connect, http):
    await check_flood(await serve(connects_per_second=2), connect, http, 503)


async def test_row_15_a_socket_over_the_limit_evicts_the_most_idle(serve, connect):
    server = await serve(sockets_per_user=3)
    bob = await connect("bob", to=server)
    tabs = [await connect("ana", to=server) for _ in range(3)]
    await tabs[0].ask(*LEAVE)
    await connect("ana", to=server)
    assert await tabs[1].is_closed()
    assert [tab.closed.is_set() for tab in tabs] == [False, True, False]
    await notices_nothing(server, bob)


async def test_row_15_fails_without_its_defence(serve, connect, http, monkeypatch):
    monkeypatch.setattr(admission.Admission, "_check_load", AsyncMock(return_value=None))
    with pytest.raises(AssertionError, match="nobody was refused"):
        await check_flood(await serve(connects_per_second=2), connect, http, 503)


@pytest.mark.parametrize("namespace", ["/mistake-01", "/admin", "/%00", "/a/b", "/\u0430", "/*"])
async def test_row_16_another_namespace_is_unknown(server, connect, dial, namespace):
    bob, wire = await connect("bob"), await dial()
    await wire.send(f"40{namespace}," + json.dumps({"token": server.signed()}))
    answer = await wire.frame()
    assert answer.startswith(f"44{namespace},")
    assert json.loads(answer.removeprefix(f"44{namespace},"))["data"]["code"] == "unknown_namespace"
    assert await wire.is_closed()
    await notices_nothing(server, bob)


@pytest.mark.parametrize("name", ["polling", "flashsocket", "webtransport", "WebSocket", "", "websocket,polling"])
async def test_row_16_another_transport_is_refused_with_a_hint(server, connect, http, name):
    bob = await connect("bob")
    for method in ("GET", "POST", "OPTIONS"):
        async with http.request(method, server.url + f"/socket.io/?EIO=4&transport={name}") as answer:
            assert answer.status == 400
            assert "WebSocket only" in await answer.text()
    await notices_nothing(server, bob)


async def check_compression(server, connect, http):
    bob = await connect("bob", to=server)
    for offer in ("permessage-deflate", "permessage-deflate; client_max_window_bits=15, x-webkit-deflate-frame"):
        status, headers = await upgraded(http, server, Sec_WebSocket_Extensions=offer)
        assert status == 101
        assert "Sec-WebSocket-Extensions" not in headers, "was negotiated"
    await notices_nothing(server, bob)


@pytest.mark.parametrize("delivery", DELIVERIES)
async def test_row_17_compression_that_is_offered_is_not_negotiated(serve, connect, http, delivery):
    await check_compression(await serve(delivery=delivery), connect, http)


async def test_row_17_fails_without_its_defence(serve, connect, http, monkeypatch):
    monkeypatch.setattr(admission, "rewritten", lambda request, query: request)
    with pytest.raises(AssertionError, match="was negotiated"):
        await check_compression(await serve(delivery="stock"), connect, http)


@pytest.mark.parametrize("delivery", DELIVERIES)
async def test_row_14_a_cut_during_the_handshake_is_no_error(serve, connect, monkeypatch, caplog, delivery):
    server = await serve(delivery=delivery)
    bob, real = await connect("bob", to=server), admission.rewritten

    def cut(request, query):
        request.transport.abort()
        return real(request, query)

    monkeypatch.setattr(admission, "rewritten", cut)
    with capture_logs() as entries:
        reader, writer = await asyncio.open_connection(PROXY, int(server.url.rpartition(":")[2]))
        headers = "".join(f"{name}: {value}\r\n" for name, value in ({"Host": "localhost"} | UPGRADE_HEADERS).items())
        writer.write(f"GET {SOCKETIO} HTTP/1.1\r\n{headers}\r\n".encode())
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), AT_ONCE_SECONDS) == b""
        writer.close()
        await notices_nothing(server, bob)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert [entry for entry in entries if entry["log_level"] in ("warning", "error")] == []


async def test_row_14_a_half_open_peer_that_reads_nothing_is_dropped(server, connect, dial, until):
    bob, wire = await connect("bob"), await dial(token=server.token("ana"))
    wire.websocket._response.connection.transport.pause_reading()
    environ = server.sio.get_environ(wire.sid)
    held = environ["aiohttp.request"].transport
    held.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    held.write(b"\x8a\x00" * 4_000_000)
    assert held.get_write_buffer_size() > 0
    admission.close_transport(environ)
    await until(lambda: environ["aiohttp.request"].transport is None, seconds=2 * closing.LINGER_SECONDS)
    await until(lambda: server.application.limits.connections == 1)
    await notices_nothing(server, bob)
