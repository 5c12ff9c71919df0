"""Tests of sessions: refresh, change of identity, and expiry."""

import pytest

from ...events import AUTH_EXPIRING, AUTH_REFRESH, ROOM_JOIN
from ...rooms import role_room
from ..stand_in import NOTE_RECEIVED, NOTE_SEND, NOTICE_PUBLISH, PIN_MOVED, PIN_SET, PLAIN, PRIVILEGED, topic

NOTE = {"to": "ana", "text": "still here"}
POSITION = {"lat": 52.5, "lng": 13.4}


async def test_a_refresh_returns_the_new_end_of_the_session(serve, connect, clock):
    server = await serve(clock=clock)
    ana = await connect("ana", to=server, life_seconds=600)
    ack = await ana.ask(AUTH_REFRESH, {"token": server.token("ana", life_seconds=7200)})
    assert ack == {"ok": True, "data": {"expires_at": int((clock.now + 7200) * 1000)}}


async def test_a_refresh_with_another_role_moves_the_rooms_at_once(server, connect):
    tab, dora = await connect("ana", PLAIN), await connect("dora", PRIVILEGED)
    await tab.ask(AUTH_REFRESH, {"token": server.token("ana", PRIVILEGED)})
    await dora.ask(PIN_SET, POSITION)
    assert (await tab.receives(PIN_MOVED))["by"] == "dora"
    assert (server.members(role_room(PLAIN)), server.members(role_room(PRIVILEGED))) == (0, 2)


async def test_a_refresh_to_a_lesser_role_loses_the_old_permissions(server, connect):
    tab, dora = await connect("ana", PRIVILEGED), await connect("dora", PRIVILEGED)
    await tab.ask(AUTH_REFRESH, {"token": server.token("ana", PLAIN)})
    await dora.ask(PIN_SET, POSITION)
    assert await server.fence(tab) == [[]]
    assert await tab.code(NOTICE_PUBLISH, {"text": "hello"}) == "forbidden"


async def test_a_refresh_leaves_topic_rooms_no_longer_granted(server, connect):
    ana = await connect("ana", rooms=[topic("17"), topic("18")])
    await ana.ask(AUTH_REFRESH, {"token": server.token("ana", rooms=[topic("18")])})
    assert (server.members(topic("17")), server.members(topic("18"))) == (0, 1)


async def test_a_room_that_a_refresh_granted_may_be_joined(server, connect):
    ana = await connect("ana")
    await ana.ask(AUTH_REFRESH, {"token": server.token("ana", rooms=[topic("17")])})
    assert (await ana.ask(ROOM_JOIN, {"room": topic("17")}))["ok"]


async def test_a_refresh_with_the_token_of_another_user_is_refused(server, connect):
    ana, eve = await connect("ana", PLAIN), await connect("eve", PRIVILEGED)
    assert await ana.code(AUTH_REFRESH, {"token": server.token("eve", PRIVILEGED)}) == "unauthorized"
    assert server.members(role_room(PRIVILEGED)) == 1
    await eve.ask(NOTE_SEND, {"to": "ana", "text": "hello"})
    assert (await ana.receives(NOTE_RECEIVED))["sender"] == "eve"


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "x" * 9000])
async def test_a_refresh_with_a_malformed_token_is_refused(connect, token):
    assert await (await connect("ana")).code(AUTH_REFRESH, {"token": token}) == "unauthorized"


async def test_a_refresh_with_an_expired_token_is_refused(serve, connect, clock):
    server = await serve(clock=clock)
    ana, old = await connect("ana", to=server, life_seconds=7200), server.token("ana", life_seconds=60)
    clock.advance(600)
    assert await ana.code(AUTH_REFRESH, {"token": old}) == "token_expired"


async def test_a_session_is_warned_of_its_end(serve, connect, clock):
    server = await serve(clock=clock)
    ana = await connect("ana", to=server, life_seconds=600)
    clock.advance(550)
    assert await ana.receives(AUTH_EXPIRING) == {"expires_in": 50.0}


async def test_a_session_is_warned_of_its_end_once_per_token(serve, connect, clock):
    server = await serve(clock=clock)
    ana = await connect("ana", to=server, life_seconds=600)
    clock.advance(550)
    await ana.receives(AUTH_EXPIRING)
    await ana.ask(AUTH_REFRESH, {"token": server.token("ana", life_seconds=600)})
    assert await server.fence(ana) == [[]]
    clock.advance(550)
    assert await ana.receives(AUTH_EXPIRING) == {"expires_in": 50.0}


async def test_an_expired_session_serves_no_events(serve, connect, clock):
    ana = await connect("ana", to=await serve(clock=clock), life_seconds=600)
    clock.advance(600)
    assert await ana.code(NOTE_SEND, NOTE) == "token_expired"


async def test_a_session_may_be_refreshed_within_the_grace(serve, connect, clock):
    server = await serve(clock=clock)
    ana = await connect("ana", to=server, life_seconds=600)
    clock.advance(620)
    assert (await ana.ask(AUTH_REFRESH, {"token": server.token("ana")}))["ok"]
    assert (await ana.ask(NOTE_SEND, NOTE))["ok"]


async def test_a_session_is_closed_after_the_grace(serve, connect, clock):
    ana = await connect("ana", to=await serve(clock=clock), life_seconds=600)
    clock.advance(626)
    assert await ana.is_closed()


async def test_a_refreshed_session_outlives_the_first_token(serve, connect, clock):
    server = await serve(clock=clock)
    ana, bob = await connect("ana", to=server, life_seconds=600), await connect("bob", to=server, life_seconds=600)
    await ana.ask(AUTH_REFRESH, {"token": server.token("ana", life_seconds=7200)})
    clock.advance(1200)
    # the first tokens of both expired, and only ana has a new one
    assert await bob.is_closed()
    assert (await ana.ask(NOTE_SEND, NOTE))["ok"]


async def test_a_stock_client_reconnects_with_a_new_token(serve, connect, clock):
    server = await serve(clock=clock)
    client = {"reconnection": True, "reconnection_delay": 0.02, "randomization_factor": 0}
    ana = await connect("ana", to=server, client=client, token=lambda: {"token": server.token("ana", life_seconds=600)})
    clock.advance(626)
    assert await ana.is_closed()
    assert await ana.is_back()
    assert (await ana.ask(NOTE_SEND, NOTE))["ok"]
