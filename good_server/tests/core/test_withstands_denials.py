"""Tests of row 56 of `WITHSTANDS.md`: a denied user, with one process."""

import asyncio
import json

import pytest
import pytest_asyncio
import socketio
from structlog.testing import capture_logs

from ...denials import Denials
from ...events import AUTH_REFRESH
from ...rooms import role_room, user_room
from ..checks import AT_ONCE_SECONDS, notices_nothing
from ..orders import TAKES_ORDERS, order, ordered
from ..stand_in import LEAVE, NOTICE_PUBLISH, PLAIN, PRIVILEGED
from ..wire import bare

# the life of tokens in the tests' tokens
LIFE_SECONDS = 3600
# a stock client that comes back at once
COMES_BACK = {"reconnection": True, "reconnection_delay": 0.05, "reconnection_delay_max": 0.05}


@pytest_asyncio.fixture(loop_scope="session")
async def server(serve, clock):
    return await serve(clock=clock, token_life_seconds=LIFE_SECONDS, **TAKES_ORDERS)


@pytest.fixture
def refused(server, new_tab):
    """`await refused(token)` returns the code of a refused connect."""

    async def try_connect(token):
        tab = new_tab()
        with pytest.raises(socketio.exceptions.ConnectionError):
            await tab.connect(server.url, token)
        return (await asyncio.wait_for(tab.refusal, 10))["data"]["code"]

    return try_connect


async def test_row_56_a_disconnected_user_stays_away_and_is_refused(server, http, connect, until, refused):
    bob = await connect("bob")
    token = server.token("ana")
    tabs = [await connect("ana", token=token, client=COMES_BACK) for _ in range(2)]
    await ordered(http, server, "/disconnect", user="ana")
    for tab in tabs:
        assert await asyncio.wait_for(tab.closed.wait(), AT_ONCE_SECONDS)
    await until(lambda: server.application.limits.connections == 1)
    assert await refused(token) == "unauthorized"
    assert server.members(user_room("ana")) == 0
    assert not any(tab.sio.connected for tab in tabs)
    await notices_nothing(server, bob)


async def test_row_56_fails_without_the_check_of_denials(server, http, connect, monkeypatch):
    monkeypatch.setattr(Denials, "refuses", lambda self, identity: False)
    token = server.token("ana")
    ana = await connect("ana", token=token)
    await ordered(http, server, "/disconnect", user="ana")
    assert await ana.is_closed()
    assert (await connect("ana", token=token)).sio.connected


async def test_row_56_the_client_gets_a_disconnect_before_the_end(server, http):
    async with bare(server.url, server.token("ana")) as ana:
        await ordered(http, server, "/disconnect", user="ana")
        assert await ana.frame() == "41"
        assert await ana.is_closed(AT_ONCE_SECONDS)


async def test_row_56_a_demotion_takes_effect_at_once(server, http, connect, clock, refused):
    old = server.token("ana", PRIVILEGED)
    ana = await connect("ana", token=old)
    assert (await ana.ask(NOTICE_PUBLISH, {"text": "I may"}))["ok"]
    await ordered(http, server, "/disconnect", user="ana")
    assert await ana.is_closed()
    assert await refused(old) == "unauthorized"
    assert server.members(role_room(PRIVILEGED)) == 0
    # logged in anew
    clock.advance(1)
    demoted = await connect("ana", PLAIN)
    assert await demoted.code(NOTICE_PUBLISH, {"text": "may I?"}) == "forbidden"
    # the old token must not bring the old role back
    assert await demoted.code(AUTH_REFRESH, {"token": old}) == "unauthorized"
    assert await demoted.code(NOTICE_PUBLISH, {"text": "may I?"}) == "forbidden"
    assert (await demoted.ask(*LEAVE))["ok"]
    assert (await demoted.ask(AUTH_REFRESH, {"token": server.token("ana", PLAIN)}))["ok"]


async def test_row_56_a_ban_refuses_every_token_until_it_ends(server, http, connect, clock, refused):
    await ordered(http, server, "/disconnect", user="ana", deny_seconds=100)
    clock.advance(99)
    assert await refused(server.token("ana")) == "unauthorized"
    clock.advance(1)
    assert (await connect("ana")).sio.connected


async def test_zero_seconds_only_disconnect(server, http, connect):
    token = server.token("ana")
    ana = await connect("ana", token=token)
    await ordered(http, server, "/disconnect", user="ana", deny_seconds=0)
    assert await ana.is_closed()
    assert (await connect("ana", token=token)).sio.connected


async def test_row_56_the_reason_is_in_log_and_metric_only(server, http, dial):
    await ordered(http, server, "/disconnect", user="ana")
    with capture_logs() as logs:
        wire = await dial()
        await wire.send("40" + json.dumps({"token": server.token("ana")}))
        answer = await wire.frame()
        assert await wire.is_closed()
    assert answer.startswith("44")
    assert "denied" not in answer
    assert [entry["reason"] for entry in logs if entry["event"] == "refused"] == ["denied"]
    refusals = server.application.guards.metrics.refusals.labels("connect", "denied")
    assert refusals._value.get() == 1


class SlowJoin:
    """Stops each connect between its token check and its rooms."""

    def __init__(self, server, monkeypatch):
        self.is_there, self.may_go_on = asyncio.Event(), asyncio.Event()
        joined = type(server.gateway).joined

        async def wait(gateway, request):
            self.is_there.set()
            await self.may_go_on.wait()
            await joined(gateway, request)

        monkeypatch.setattr(type(server.gateway), "joined", wait)


@pytest.mark.parametrize("seconds", [{}, {"deny_seconds": 60}])
async def test_row_56_an_order_during_a_connect_is_not_missed(server, http, dial, until, monkeypatch, seconds):
    slow = SlowJoin(server, monkeypatch)
    wire = await dial()
    await wire.send("40" + json.dumps({"token": server.token("ana")}))
    await asyncio.wait_for(slow.is_there.wait(), 10)
    await ordered(http, server, "/disconnect", user="ana", **seconds)
    slow.may_go_on.set()
    assert (await wire.frame()).startswith("44")
    assert await wire.is_closed()
    await until(lambda: server.members(user_room("ana")) == 0)


async def test_a_hanging_disconnect_handler_does_not_delay_the_order(server, http, connect, monkeypatch):
    may_end, has_ended = asyncio.Event(), asyncio.Event()

    async def hang(gateway, request):
        await may_end.wait()
        has_ended.set()

    monkeypatch.setattr(type(server.gateway), "left", hang)
    ana = await connect("ana")
    async with asyncio.timeout(3):
        await ordered(http, server, "/disconnect", user="ana")
    assert await ana.is_closed()
    assert not has_ended.is_set()
    # its deadline would otherwise pass during another test, which may look at the log
    may_end.set()
    await asyncio.wait_for(has_ended.wait(), 10)


async def test_row_56_denials_are_bounded_and_swept(server, http, clock, until, monkeypatch):
    denials = server.application.guards.cluster.denials
    monkeypatch.setattr(denials, "_most", 5)
    for number in range(8):
        await ordered(http, server, "/disconnect", user=f"user-{number}")
    assert len(denials) == 5
    assert "server_denials_dropped_total 3.0" in server.application.guards.metrics.exposition().decode()
    clock.advance(LIFE_SECONDS + 2 * server.settings.jwt_leeway_seconds)
    await until(lambda: len(denials) == 0)


async def test_row_56_the_token_of_a_client_gives_no_orders(server, http, connect):
    bob = await connect("bob")
    assert (await order(http, server, "/disconnect", {"user": "bob"}, token=server.token("bob")))[0] == 401
    await notices_nothing(server, bob)
