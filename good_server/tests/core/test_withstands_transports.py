"""Tests of rows 39 to 54 of `WITHSTANDS.md`: unverified connections.

Rows about identity, reports and Redis are in other files.
"""

import asyncio
import json
import socket
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from structlog.testing import capture_logs

from ... import admission, lifecycle
from ...admission import Admission
from ...gateway import stray_packets
from ...settings import Settings
from ..checks import AT_ONCE_SECONDS, notices_nothing
from ..servers import DELIVERIES
from ..tokens import token
from ..wire import BINARY, CLOSE, CONTINUED, PING, PONG, SOCKETIO, TEXT, UPGRADE, address_of, bare, upgraded

BOTH = ["websocket", "polling"]
AMBIGUOUS = {
    "a blank sid": f"{SOCKETIO}&sid=",
    "an encoded blank sid": f"{SOCKETIO}&%73id=",
    "a sid that nobody has": f"{SOCKETIO}&sid=AAAAAAAAAAAAAAAAAAAA",
    "two sids": f"{SOCKETIO}&sid=a&sid=",
    "a sid of one line break": f"{SOCKETIO}&sid=%0a",
    "two protocols": f"{SOCKETIO}&EIO=4",
    "another protocol behind": f"{SOCKETIO}&EIO=3",
    "two transports": f"{SOCKETIO}&transport=websocket",
    "another transport behind": f"{SOCKETIO}&transport=polling",
    "a protocol that is encoded": SOCKETIO.replace("EIO=4", "EIO=%34") + "&EIO=4",
    "no protocol": SOCKETIO.replace("EIO=4&", ""),
}
# the library decodes a query a second time
HIDDEN = {
    "a hidden blank sid": f"{SOCKETIO}&t=%26sid%3D",
    "a hidden sid": f"{SOCKETIO}&t=%26sid%3Dabc",
    "a hidden transport": f"{SOCKETIO}&t=%26transport%3Dpolling",
}


async def open_many(http, server, path, count=20):
    """Return the statuses of `count` upgrades. The connections stay open until the test ends."""
    return [(await upgraded(http, server, path=path))[0] for _ in range(count)]


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("transports", [["websocket"], BOTH])
async def test_row_39_an_ambiguous_query_opens_no_connection(serve, connect, http, delivery, transports):
    server = await serve(delivery=delivery, transports=transports)
    bob = await connect("bob", to=server)
    answers = {how: set(await open_many(http, server, path, 3)) for how, path in AMBIGUOUS.items()}
    assert answers == {how: {400} for how in AMBIGUOUS}
    await notices_nothing(server, bob)


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("transports", [["websocket"], BOTH])
@pytest.mark.parametrize("how", HIDDEN)
async def test_row_39_a_hidden_part_of_a_query_changes_nothing(serve, http, delivery, transports, how):
    server = await serve(delivery=delivery, transports=transports, sockets_per_address=3)
    async with AsyncExitStack() as stack:
        answers = []
        for _ in range(6):
            try:
                await stack.enter_async_context(http.ws_connect(server.url + HIDDEN[how]))
                answers.append(101)
            except aiohttp.WSServerHandshakeError as refused:
                answers.append(refused.status)
        assert answers == [101, 101, 101, 429, 429, 429]
        assert server.application.limits.connections == 3


async def check_blank_sid(serve, http):
    server = await serve(sockets_per_address=5)
    statuses = await open_many(http, server, AMBIGUOUS["a blank sid"])
    assert 101 not in statuses, "a connection was opened"


async def test_row_39_fails_without_its_defence(serve, http, monkeypatch):
    monkeypatch.setattr(admission, "read_query", lambda request: admission.Query("websocket", ""))
    with pytest.raises(AssertionError, match="was opened"):
        await check_blank_sid(serve, http)


FORGOTTEN = {"close": "1", "close with data": "1x", "close and more": "1\x1e1"}


async def check_forgotten(server, dial, until, packet):
    wire = await dial(to=server)
    await wire.send(packet)
    async with asyncio.timeout(AT_ONCE_SECONDS):
        await wire.is_closed()
    await until(lambda: server.application.limits.connections == 0, seconds=AT_ONCE_SECONDS)
    assert not server.sio.eio.sockets


@pytest.mark.engine
@pytest.mark.parametrize("how", FORGOTTEN)
async def test_row_40_an_engine_io_close_ends_the_transport(server, dial, until, how):
    await check_forgotten(server, dial, until, FORGOTTEN[how])


async def test_row_40_a_connection_without_records_still_ends(serve, dial, until):
    server = await serve(handshake_seconds=0.3)
    wire = await dial(to=server)
    # the library forgets the connection, as after a packet that confuses it
    server.sio.environ.clear()
    server.sio.eio.sockets.clear()
    async with asyncio.timeout(2 * AT_ONCE_SECONDS):
        await wire.is_closed()
    await until(lambda: server.application.limits.connections == 0)


FLOODS = {
    "pings": (PING, b"", True),
    "pongs": (PONG, b"", True),
    "fragments": (CONTINUED, b"", False),
    "full pings": (PING, b"x" * 125, True),
}


async def check_frame_flood(server, how):
    """Assert that the server closes a sender of frames that carry nothing."""
    kind, payload, is_final = FLOODS[how]
    async with bare(server.url, server.token("ana")) as attacker:
        if kind == CONTINUED:
            attacker.send("42[", kind=TEXT, fin=False)
        for _ in range(2000):
            attacker.send(payload, kind=kind, fin=is_final)
        assert await attacker.is_closed(AT_ONCE_SECONDS), "was not closed"


@pytest.mark.engine
@pytest.mark.parametrize("how", FLOODS)
async def test_row_41_a_sender_of_frames_that_carry_nothing_is_closed(server, connect, how):
    bob = await connect("bob")
    await check_frame_flood(server, how)
    await notices_nothing(server, bob)


@pytest.mark.needs("delivery")
async def test_row_41_fails_without_its_defence(server, monkeypatch):
    from ...delivery import connection

    monkeypatch.setattr(connection, "charge", lambda request: True)
    with pytest.raises(AssertionError, match="was not closed"):
        await check_frame_flood(server, "pings")


UNASKED = {
    "acks": "431[]",
    "pongs": "3",
    "pongs with data": "3probe",
    "upgrades": "5",
    "acks of another namespace": "43/x,1[]",
}


async def check_unasked(server, token, packet):
    """Assert that the server closes a sender of unexpected packets."""
    async with bare(server.url, token) as attacker:
        for _ in range(1000):
            attacker.send(packet)
        assert await attacker.is_closed(AT_ONCE_SECONDS), "was not closed"


@pytest.mark.engine
@pytest.mark.parametrize("how", UNASKED)
@pytest.mark.parametrize("is_joined", [True, False])
async def test_row_42_packets_that_nobody_asked_for_end(server, connect, how, is_joined):
    bob = await connect("bob")
    await check_unasked(server, server.token("ana") if is_joined else None, UNASKED[how])
    await notices_nothing(server, bob)


async def test_row_42_fails_without_its_defence(server, monkeypatch):
    monkeypatch.setattr(stray_packets, "charge", lambda request: True)
    with pytest.raises(AssertionError, match="was not closed"):
        await check_unasked(server, server.token("ana"), UNASKED["acks"])


def stuck(server):
    """Return a raw WebSocket client with small buffers, which reads nothing."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(address_of(server.url))
    raw.sendall(UPGRADE.encode())
    return raw


@asynccontextmanager
async def stuck_client(server, until):
    """Yield a client that reads nothing, and for which bytes wait."""
    raw = await asyncio.to_thread(stuck, server)
    try:
        await until(lambda: len(server.sio.environ) == 1)
        (environ,) = server.sio.environ.values()
        transport = environ["aiohttp.request"].transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        # the kernel's buffers are full, and the limit of the send queue is not reached
        while transport.get_write_buffer_size() < 100_000:
            transport.write(b"\x8a\x00" * 10_000)
        yield raw, environ
    finally:
        raw.close()


ENDS = {
    "a close frame": b"\x88\x82\0\0\0\0\x03\xe8",
    "a broken frame": b"\xff\xff",
    "an Engine.IO close": b"\x81\x81\0\0\0\x001",
    "a flood of pings": b"\x89\x80\0\0\0\0" * 1000,
}


@pytest.mark.engine
@pytest.mark.parametrize("how", ENDS)
async def test_row_43_a_peer_that_does_not_read_is_dropped(server, until, how):
    async with stuck_client(server, until) as (raw, environ):
        raw.sendall(ENDS[how])
        # it counts until it is lost
        await until(lambda: environ["aiohttp.request"].protocol.transport is None, seconds=3)
    await until(lambda: server.application.limits.connections == 0)
    assert not server.application.limits._accepted


async def test_row_43_an_expired_peer_that_does_not_read_is_dropped(server, until):
    async with stuck_client(server, until) as (_, environ):
        admission.close_transport(environ, "expired")
        await until(lambda: environ["aiohttp.request"].transport is None, seconds=3)
    await until(lambda: server.application.limits.connections == 0)


@pytest.mark.needs("delivery")
async def test_row_43_fails_without_its_defence(server, until, monkeypatch):
    from ...delivery import connection

    monkeypatch.setattr(connection, "close_soon", lambda transport: transport.close())
    monkeypatch.setattr(connection, "LINGER_SECONDS", 3600)
    monkeypatch.setattr(admission, "close_soon", lambda transport: transport.close())
    async with stuck_client(server, until) as (raw, environ):
        raw.sendall(ENDS["a close frame"])
        with pytest.raises(TimeoutError):
            await until(lambda: environ["aiohttp.request"].protocol.transport is None, seconds=2)
        environ["aiohttp.request"].transport.abort()


UNFINISHED = {
    "nothing": b"",
    "half a request line": b"GET /socket",
    "half a header": b"GET /socket.io/ HTTP/1.1\r\nHost: lo",
    "no end of the headers": b"GET /socket.io/ HTTP/1.1\r\nHost: localhost\r\n",
    "a request, then half of another": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea",
    "a request, then nothing": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


async def is_ended(server, data):
    """Return whether the server closes a TCP connection that sends only `data`."""
    reader, writer = await asyncio.open_connection(*address_of(server.url))
    writer.write(data)
    try:
        async with asyncio.timeout(3):
            await reader.read()
    except (TimeoutError, ConnectionResetError) as error:
        return isinstance(error, ConnectionResetError)
    finally:
        writer.close()
    return True


@pytest.mark.parametrize("how", UNFINISHED)
async def test_row_44_an_unfinished_request_is_closed(serve, until, how):
    server = await serve(header_seconds=0.2, keep_alive_seconds=0.2)
    assert await is_ended(server, UNFINISHED[how])
    await until(lambda: not server.application.limits._accepted)


async def test_row_44_connections_count_from_their_accept_on(serve, until):
    server = await serve(sockets_per_address=2)
    async with AsyncExitStack() as stack:
        for _ in range(4):
            _, writer = await asyncio.open_connection(*address_of(server.url))
            stack.callback(writer.close)
        await until(lambda: server.application.limits._accepted.total() == 4)
        # the fifth is closed at once, without a deadline
        assert await is_ended(server, b"")
    await until(lambda: not server.application.limits._accepted)


async def test_row_44_fails_without_its_defence(serve):
    server = await serve(header_seconds=3600, keep_alive_seconds=3600)
    assert not await is_ended(server, UNFINISHED["half a header"])


async def check_plain_requests(server, connect, http):
    """Assert that plain requests take no connection rate from honest clients."""
    for path in (SOCKETIO, "/healthz", "/nothing"):
        for _ in range(30):
            async with http.get(server.url + path) as answer:
                assert answer.status in (400, 200, 404)
    statuses = [(await upgraded(http, server))[0] for _ in range(3)]
    assert statuses == [101, 101, 101], "honest handshakes were refused"


async def test_row_45_plain_requests_cost_no_honest_client(serve, connect, http):
    await check_plain_requests(await serve(connects_per_second=3), connect, http)


async def test_row_45_fails_without_its_defence(serve, connect, http, monkeypatch):
    async def charge_first(self, request):
        # as it was: a request costs before it is known to be a handshake
        self._limits.wait_seconds()
        return await handle(self, request)

    handle = Admission.handle
    monkeypatch.setattr(Admission, "handle", charge_first)
    with pytest.raises(AssertionError, match="were refused"):
        await check_plain_requests(await serve(connects_per_second=3), connect, http)


async def test_row_45_one_address_does_not_take_the_rate_of_others(serve, connect, http):
    server = await serve(connects_per_second_per_address=1, trusted_proxies=["127.0.0.1"])
    flood = [(await upgraded(http, server, X_Forwarded_For="192.0.2.66")) for _ in range(20)]
    refused = [headers for status, headers in flood if status == 429]
    assert len(refused) >= 15
    assert all(int(headers["Retry-After"]) >= 1 for headers in refused)
    assert (await upgraded(http, server, X_Forwarded_For="192.0.2.67"))[0] == 101


CLOSES = {
    "one byte": (b"\x03", 1002),
    "a code that is never sent": ((1005).to_bytes(2, "big"), 1002),
    "a code below 1000": ((999).to_bytes(2, "big"), 1002),
    "a code above 4999": ((5000).to_bytes(2, "big"), 1002),
    "a reason that is no UTF-8": (b"\x03\xe8\xff\xfe", 1007),
    "an empty one": (b"", 1005),
    "a code of the application": ((4321).to_bytes(2, "big"), 4321),
}


@pytest.mark.engine
@pytest.mark.parametrize("how", CLOSES)
async def test_row_46_a_close_frame_is_answered_by_the_rules(server, how):
    payload, code = CLOSES[how]
    async with bare(server.url, server.token("ana")) as peer:
        peer.send(payload, kind=CLOSE)
        # the server ends the TCP connection itself, before its own time limit
        assert await peer.is_closed(AT_ONCE_SECONDS / 2)
        assert (peer.close_code or 1005) == code
        assert await asyncio.wait_for(peer.reader.read(), AT_ONCE_SECONDS / 2) == b""


@pytest.mark.engine
async def test_row_46_nothing_after_a_close_frame_is_served(server):
    async with bare(server.url) as peer:
        peer.send(b"", kind=CLOSE)
        peer.send("40" + json.dumps({"token": server.token("ana")}))
        assert await peer.frame() is None
    assert server.members(None) == 0


async def check_one_try(server, dial):
    tried, identify = [], server.application.guards.auth.identify

    async def counted(auth, request):
        tried.append(auth)
        return await identify(auth, request)

    server.application.guards.auth.identify = counted
    wire = await dial(to=server)
    for number in range(500):
        await wire.send(f'40{{"token":"{number}"}}')
    await wire.send("40" + json.dumps({"token": server.token("ana")}))
    answers = []
    while (frame := await wire.frame()) is not None:
        answers.append(frame[:2])
    assert (len(tried), answers) == (1, ["44"]), f"{len(tried)} tokens were judged"
    assert server.members(None) == 0


@pytest.mark.parametrize("delivery", DELIVERIES)
async def test_row_49_nothing_is_read_after_a_refusal(serve, dial, delivery):
    await check_one_try(await serve(delivery=delivery), dial)


async def test_row_49_fails_without_its_defence(server, dial, monkeypatch):
    monkeypatch.setattr(stray_packets, "REFUSED", object())
    with pytest.raises(AssertionError, match="tokens were judged"):
        await check_one_try(server, dial)


@pytest_asyncio.fixture(loop_scope="session")
async def mounted(create_app, delivery):
    """`await mounted(**settings)` serves the application below `/rt` of another one."""
    async with AsyncExitStack() as stack:

        async def start(**settings):
            application = create_app(Settings(**({"delivery": delivery} | settings)))
            outer = web.Application()
            lifecycle.attach(application, outer, "/rt")
            runner = web.AppRunner(outer, access_log=None)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0]
            return application, runner, f"http://{host}:{port}/rt"

        yield start


class Mounted:
    """The address of a mounted server."""

    def __init__(self, url):
        self.url = url


async def check_mounted(mounted, http):
    _, _, url = await mounted(allowed_origins=["https://app.example"], sockets_per_address=2)
    for origin in ("https://evil.example", "null", "https://app.example.evil.example"):
        status, _ = await upgraded(http, Mounted(url), Origin=origin)
        assert status == 403, f"{origin} was answered {status}"
    status, _ = await upgraded(http, Mounted(url), Origin="https://app.example")
    assert status == 101


async def test_row_51_below_a_prefix_the_same_checks_hold(mounted, http):
    await check_mounted(mounted, http)


async def test_row_51_fails_without_its_defence(mounted, http, monkeypatch):
    async def only_at_the_root(self, request):
        return await handle(self, request) if request.path == "/socket.io/" else await self._handle(request)

    handle = Admission.handle
    monkeypatch.setattr(Admission, "handle", only_at_the_root)
    with pytest.raises(AssertionError, match="was answered 101"):
        await check_mounted(mounted, http)


async def test_row_51_a_mounted_server_starts_serves_and_drains(mounted, new_tab, until):
    application, runner, url = await mounted()
    tab = new_tab()
    await tab.connect(url, token(application.settings, "ana"), socketio_path="/rt/socket.io")
    assert application.limits.connections == 1
    assert not application.guards.background.failing
    await runner.cleanup()
    assert (await tab.receives("server:closing"))["retry_in"] > 0
    assert await tab.is_closed()
    assert application.limits.connections == 0


async def test_row_51_another_path_has_the_same_checks(serve, http):
    server = await serve(path="/live/", allowed_origins=["https://app.example"])
    path = SOCKETIO.replace("/socket.io/", "/live/")
    assert (await upgraded(http, server, path=path, Origin="https://evil.example"))[0] == 403
    assert (await upgraded(http, server, path=path, Origin="https://app.example"))[0] == 101
    assert (await upgraded(http, server))[0] == 404


async def test_polling_across_allowed_origins_has_its_headers(serve, http):
    server = await serve(transports=BOTH, allowed_origins=["https://app.example"])
    path, own = server.url + SOCKETIO.replace("websocket", "polling"), {"Origin": "https://app.example"}
    async with http.get(path, headers=own) as answer:
        session = json.loads((await answer.text())[1:])["sid"]
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, own["Origin"])
    async with http.options(f"{path}&sid={session}", headers=own) as answer:
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, own["Origin"])
    async with http.post(f"{path}&sid={session}", headers=own, data="40") as answer:
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, own["Origin"])
    async with http.get(path, headers={"Origin": "https://evil.example"}) as answer:
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_session_of_polling_without_a_token_ends(serve, http, until):
    server = await serve(transports=BOTH, handshake_seconds=0.2)
    async with http.get(server.url + SOCKETIO.replace("websocket", "polling")) as answer:
        assert answer.status == 200
    await until(lambda: not server.sio.eio.sockets)


@pytest.mark.engine
async def test_a_session_of_polling_that_never_asks_is_bounded(serve, http, until):
    server = await serve(transports=BOTH, outbox_messages=10, ping_interval_seconds=60)
    path = server.url + SOCKETIO.replace("websocket", "polling")
    async with http.get(path) as answer:
        session = json.loads((await answer.text())[1:])["sid"]
    async with http.post(f"{path}&sid={session}", data="40" + json.dumps({"token": server.token("ana")})):
        await until(lambda: server.members(None) == 1)
    for number in range(100):
        await server.sio.emit("news", number, room="user:ana")
    assert all(socket.queue._library_queue.qsize() <= 10 for socket in server.sio.eio.sockets.values())


SECRET = "eyJhbGciOiJIUzI1NiJ9.canary.7f3a"
LOGGED = {
    "a session": f"{SOCKETIO}&sid=%0a%7B%22level%22%3A%22info%22%7D{SECRET}",
    "a transport": f"/socket.io/?EIO=4&transport=%0a{SECRET}",
    "a protocol": f"/socket.io/?EIO=%0a{SECRET}&transport=websocket",
}


@pytest.mark.parametrize("how", LOGGED)
async def test_row_54_a_refused_address_is_neither_logged_nor_echoed(serve, http, caplog, how):
    server = await serve(transports=BOTH)
    with capture_logs() as entries:
        async with http.get(server.url + LOGGED[how], headers={"Origin": f"http://{SECRET}"}) as answer:
            assert SECRET not in await answer.text()
        async with http.get(server.url + LOGGED[how]) as answer:
            assert answer.status == 400
            assert SECRET not in await answer.text()
    assert SECRET not in f"{entries} {caplog.text}"
    assert next(entry["reason"] for entry in entries if entry["event"] == "refused") == "origin"


async def test_binary_frames_count_as_malformed(server, connect):
    bob = await connect("bob")
    async with bare(server.url, server.token("ana")) as attacker:
        for _ in range(server.settings.malformed_frames):
            attacker.send(b"\x04binary", kind=BINARY)
        assert await attacker.is_closed(AT_ONCE_SECONDS)
    await notices_nothing(server, bob)
