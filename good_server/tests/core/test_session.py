"""Tests of sessions: refresh, change of identity, and expiry."""

import asyncio

import pytest

from ...events import AUTH_EXPIRING, AUTH_REFRESH, ROOM_JOIN
from ...rooms import role_room
from ..entitlements import Broken, Everything, Gate, Stuck
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


@pytest.mark.parametrize("life", [60, 30, 9, 0.9])
async def test_a_short_token_is_not_warned_at_once(serve, connect, clock, life):
    server = await serve(clock=clock)
    ana = await connect("ana", to=server, token=server.signed(exp=clock.now + life))
    # warned by the same rule, a little earlier
    await connect_and_warn(server, connect, clock, 0.6 * life)
    assert await server.fence(ana) == [[]]
    clock.advance(0.1 * life)
    assert (await ana.receives(AUTH_EXPIRING))["expires_in"] == pytest.approx(0.3 * life, abs=0.01)


async def connect_and_warn(server, connect, clock, seconds):
    """Advance the clock by `seconds`.

    Returns when the server has warned everybody that is due until then.
    """
    bob = await connect("bob", to=server, token=server.signed(sub="bob", exp=clock.now + 1.5 * seconds - 0.01))
    clock.advance(seconds)
    await bob.receives(AUTH_EXPIRING)


async def test_short_tokens_cause_no_loop_of_refreshes(serve, connect, clock):
    server = await serve(clock=clock)
    ana = await connect("ana", to=server, life_seconds=60)
    for _ in range(3):
        await connect_and_warn(server, connect, clock, 20)
        assert await server.fence(ana) == [[]]
        clock.advance(21)
        assert await ana.receives(AUTH_EXPIRING) == {"expires_in": 19.0}
        await ana.ask(AUTH_REFRESH, {"token": server.token("ana", life_seconds=60)})


async def test_a_refresh_with_the_same_token_is_not_warned_again(serve, connect, clock):
    server = await serve(clock=clock)
    token = server.token("ana", life_seconds=60)
    ana = await connect("ana", to=server, token=token)
    clock.advance(41)
    await ana.receives(AUTH_EXPIRING)
    assert (await ana.ask(AUTH_REFRESH, {"token": token}))["ok"]
    await connect_and_warn(server, connect, clock, 15)
    assert await server.fence(ana) == [[]]


async def test_a_refresh_leaves_before_it_asks(serve, connect):
    gate = Gate()
    server = await serve(entitlements=gate)
    ana = await connect("ana", PRIVILEGED, to=server, rooms=[topic("17")])
    asking = asyncio.ensure_future(ana.ask(AUTH_REFRESH, {"token": server.token("ana", PLAIN)}))
    await gate.is_asked.wait()
    rooms = (role_room(PRIVILEGED), topic("17"), role_room(PLAIN))
    assert [server.members(room) for room in rooms] == [0, 0, 1]
    gate.answer.set()
    assert (await asking)["ok"]
    # the check allows it, so the socket is back
    assert [server.members(room) for room in rooms] == [0, 1, 1]


@pytest.mark.parametrize(
    ("check", "code"), [(Stuck(), "timeout"), (Broken("away"), "internal")], ids=["slow", "broken"]
)
async def test_a_failed_check_leaves_nobody_in_the_old_rooms(serve, connect, check, code):
    server = await serve(entitlements=check, handler_seconds=0.1)
    ana, dora = (
        await connect("ana", PRIVILEGED, to=server, rooms=[topic("17")]),
        await connect("dora", PRIVILEGED, to=server),
    )
    assert await ana.code(AUTH_REFRESH, {"token": server.token("ana", PLAIN)}) == code
    assert [server.members(room) for room in (role_room(PRIVILEGED), topic("17"), role_room(PLAIN))] == [1, 0, 1]
    await dora.ask(PIN_SET, POSITION)
    assert await server.fence(ana) == [[]]
    assert await ana.code(NOTICE_PUBLISH, {"text": "hello"}) == "forbidden"


async def test_a_refresh_with_the_same_rights_misses_no_message(serve, connect):
    gate = Gate()
    server = await serve(entitlements=gate)
    ana, bob = await connect("ana", to=server), await connect("bob", to=server, rooms=[topic("17")])
    gate.answer.set()
    assert (await ana.ask(ROOM_JOIN, {"room": topic("17")}))["ok"]
    gate.answer.clear()
    gate.is_asked.clear()
    asking = asyncio.ensure_future(ana.ask(AUTH_REFRESH, {"token": server.token("ana")}))
    await gate.is_asked.wait()
    await bob.ask(NOTE_SEND, {"room": topic("17"), "text": "meanwhile"})
    gate.answer.set()
    assert (await asking)["ok"]
    assert (await ana.receives(NOTE_RECEIVED))["text"] == "meanwhile"


@pytest.mark.parametrize(("is_allowed", "members"), [(True, 1), (False, 0)])
async def test_a_room_that_is_not_confirmed_is_left(serve, connect, is_allowed, members):
    gate = Gate()
    gate.answer.set()
    server = await serve(entitlements=gate)
    ana = await connect("ana", to=server)
    assert (await ana.ask(ROOM_JOIN, {"room": topic("17")}))["ok"]
    gate.is_allowed = is_allowed
    assert (await ana.ask(AUTH_REFRESH, {"token": server.token("ana")}))["ok"]
    assert server.members(topic("17")) == members


async def test_a_demoted_user_stays_where_the_check_allows_it(serve, connect):
    server = await serve(entitlements=Everything())
    ana = await connect("ana", PRIVILEGED, to=server, rooms=[topic("17")])
    assert (await ana.ask(AUTH_REFRESH, {"token": server.token("ana", PLAIN)}))["ok"]
    assert (server.members(topic("17")), server.members(role_room(PRIVILEGED))) == (1, 0)


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
