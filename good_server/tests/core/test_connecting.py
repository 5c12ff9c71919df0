"""Tests of connecting: who is accepted, and how others are refused.

A permanent refusal is a CONNECT_ERROR packet, a temporary one an HTTP status.
"""

import asyncio
import json

import pytest
from socketio.exceptions import ConnectionError

from ...rooms import user_room
from ..stand_in import LEAVE, NOTICE_PUBLISH, PLAIN, PRIVILEGED
from ..wire import SOCKETIO, upgraded

PATH = SOCKETIO.removesuffix("websocket")


@pytest.fixture
def refusal(server, new_tab):
    """`await refusal(token)` connects with a token that the server refuses.

    It returns the data of the CONNECT_ERROR packet.
    """

    async def of(token, **options):
        tab = new_tab()
        with pytest.raises(ConnectionError):
            await tab.connect(options.pop("to", server).url, token, **options)
        return await asyncio.wait_for(tab.refusal, 10)

    return of


async def test_no_token_is_unauthorized(refusal):
    data = await refusal(None)
    assert data.keys() == {"message", "data"}
    assert data["data"]["code"] == "unauthorized"


@pytest.mark.parametrize("auth", [{}, {"token": ""}, {"token": 7}, {"token": ["x"]}, {"jwt": "x"}, ["x"], "x", 7, True])
async def test_a_malformed_token_is_unauthorized(refusal, auth):
    assert (await refusal(lambda: auth))["data"]["code"] == "unauthorized"


async def test_an_expired_token_has_a_code_of_its_own(refusal, serve, clock):
    server = await serve(clock=clock)
    token = server.token("ana", life_seconds=600)
    clock.advance(700)
    assert (await refusal(token, to=server))["data"]["code"] == "token_expired"


async def test_a_namespace_that_is_not_served_is_unknown(server, refusal):
    data = await refusal(server.token("ana"), namespaces=["/other"])
    assert data["data"]["code"] == "unknown_namespace"


async def test_a_refusal_does_not_repeat_what_was_sent(refusal):
    assert "canary-7f3a" not in json.dumps(await refusal("canary-7f3a"))


@pytest.mark.parametrize("frame", ["40", '40{"token":"x"}', "40[]", "40/unknown,", "40/other,{}"])
async def test_a_refused_transport_is_closed_within_a_second(dial, frame):
    wire = await dial()
    await wire.send(frame)
    assert (await wire.frame()).startswith("44")
    async with asyncio.timeout(1):
        assert await wire.is_closed()


async def test_a_refused_socket_is_in_no_room(server, dial, until):
    wire = await dial()
    await wire.send('40{"token":"x"}')
    await wire.is_closed()
    await until(lambda: server.members(None) == 0)


async def test_a_transport_that_never_sends_connect_is_closed(serve, dial):
    wire = await dial(to=await serve(handshake_seconds=0.5))
    assert await wire.is_closed()


async def test_a_transport_that_sent_connect_stays(serve, dial, connect):
    server = await serve(handshake_seconds=0.5)
    ana, silent = await connect("ana", to=server), await dial(to=server)
    assert await silent.is_closed()
    assert (await ana.ask(*LEAVE))["ok"]


async def test_a_token_check_that_hangs_admits_nobody(serve, dial, monkeypatch):
    server = await serve(handshake_seconds=0.5)
    monkeypatch.setattr(server.application.guards.auth, "identify", lambda auth, request: asyncio.Event().wait())
    wire = await dial(to=server)
    await wire.send('40{"token":"x"}')
    assert '"sid"' not in (await wire.frame() or "closed")
    assert server.members(user_room("ana")) == 0


async def test_a_token_check_that_raises_is_a_refusal(server, refusal, monkeypatch):
    async def broken(auth, request):
        raise TypeError("canary-7f3a")

    monkeypatch.setattr(server.application.guards.auth, "identify", broken)
    data = await refusal("x")
    assert data["data"]["code"] == "internal"
    assert "canary-7f3a" not in json.dumps(data)


async def test_polling_is_answered_with_the_transport_to_use(server, http):
    async with http.get(server.url + PATH + "polling", headers={"Origin": server.url}) as answer:
        assert answer.status == 400
        assert "websocket" in (await answer.text()).lower()
        assert (await answer.text()).count("\n") == 0
        assert answer.headers["Access-Control-Allow-Origin"] == server.url


async def test_a_client_that_names_no_transport_is_refused(server, http):
    async with http.get(server.url + "/socket.io/?EIO=4") as answer:
        assert answer.status == 400


async def test_a_stock_client_that_polls_first_is_refused(server, new_tab):
    with pytest.raises(ConnectionError):
        await new_tab().connect(server.url, server.token("ana"), transports=None)


async def test_polling_is_served_where_the_setting_adds_it(serve, new_tab):
    server = await serve(transports=["websocket", "polling"])
    tab = new_tab()
    await tab.connect(server.url, server.token("ana"), transports=None)
    assert (await tab.ask(*LEAVE))["ok"]


async def upgrade(http, server):
    status, headers = await upgraded(http, server)
    return status, headers.get("Retry-After")


async def test_too_many_connections_get_retry_after(serve, connect, http):
    server = await serve(connections=1)
    await connect("ana", to=server)
    status, retry_after = await upgrade(http, server)
    assert status == 503
    assert int(retry_after) >= 1


async def test_too_frequent_connections_get_retry_after(serve, connect, http):
    server = await serve(connects_per_second=0.1)
    await connect("ana", to=server)
    assert await upgrade(http, server) == (503, "10")


async def test_too_many_connections_from_one_address_get_retry_after(serve, connect, http):
    server = await serve(sockets_per_address=1)
    await connect("ana", to=server)
    status, retry_after = await upgrade(http, server)
    assert status == 429
    assert int(retry_after) >= 1


async def test_a_closing_server_answers_with_retry_after(server, http):
    server.application.admission.is_draining = True
    status, retry_after = await upgrade(http, server)
    assert status == 503
    assert int(retry_after) >= 1


async def test_a_closed_connection_frees_its_place(serve, connect, until):
    server = await serve(sockets_per_address=1)
    ana = await connect("ana", to=server)
    await ana.sio.disconnect()
    await until(lambda: server.application.limits.connections == 0)
    await connect("ana", to=server)


async def test_compression_is_not_negotiated(dial, server):
    wire = await dial(token=server.token("ana"), compress=15)
    assert not wire.websocket.compress


async def test_an_eleventh_socket_evicts_the_most_idle_one(server, connect):
    tabs = [await connect("ana") for _ in range(10)]
    await tabs[0].ask(*LEAVE)
    await connect("ana")
    assert await tabs[1].is_closed()
    assert [tab.closed.is_set() for tab in tabs] == [False, True] + [False] * 8


async def test_many_sockets_at_once_leave_only_the_allowed_number(serve, dial, until):
    server = await serve(sockets_per_user=3)
    wires = [await dial(to=server) for _ in range(12)]
    for wire in wires:
        await wire.send(f'40{{"token":"{server.token("ana")}"}}')
    await until(lambda: server.application.limits.connections == 3)
    assert server.members(user_room("ana")) == 3


async def test_the_socket_limit_of_one_user_does_not_affect_others(serve, connect):
    server = await serve(sockets_per_user=1)
    bob = await connect("bob", to=server)
    ana = await connect("ana", to=server)
    await connect("ana", to=server)
    assert await ana.is_closed()
    assert (await bob.ask(*LEAVE))["ok"]


async def test_a_new_connection_keeps_nothing_of_the_old_role(server, connect):
    ana = await connect("ana", PRIVILEGED)
    await ana.sio.disconnect()
    again = await connect("ana", PLAIN)
    assert await again.code(NOTICE_PUBLISH, {"text": "hello"}) == "forbidden"
