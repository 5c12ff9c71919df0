"""Tests of the rooms that the product's entitlements name at every connect."""

import asyncio

import pytest
from structlog.testing import capture_logs

from ...errors import Unauthorized
from ...events import AUTH_REFRESH, ROOM_JOIN, ROOM_LEAVE
from ...rooms import role_room, user_room
from ..checks import is_refused, is_turned_away, notices_nothing
from ..entitlements import Everything, Orders, Stuck
from ..stand_in import PLAIN, PRIVILEGED, topic

NEWS = "news"
ONE, TWO, THREE = topic("1"), topic("2"), topic("3")


def members(server, *rooms):
    return [server.members(room) for room in rooms]


async def test_entitled_rooms_are_joined_before_the_connect_reply(serve, connect):
    orders = Orders(ONE, TWO)
    server = await serve(entitlements=orders)
    ana = await connect("ana", to=server)
    assert members(server, ONE, TWO, user_room("ana"), role_room(PLAIN)) == [1, 1, 1, 1]
    await server.sio.emit(NEWS, 1, room=[TWO])
    assert await ana.receives(NEWS) == 1
    assert [identity.user for identity in orders.asked] == ["ana"]


async def test_a_client_that_reconnects_is_in_todays_rooms(serve, connect, until):
    orders = Orders(ONE)
    server = await serve(entitlements=orders)
    ana = await connect("ana", to=server, client={"reconnection": True, "reconnection_delay": 0.01})
    orders.names = [TWO]
    await ana.sio.eio.ws.close()
    await until(lambda: members(server, ONE, TWO) == [0, 1])


async def test_old_entitlements_without_the_method_still_serve(serve, connect):
    server = await serve(entitlements=Everything())
    ana = await connect("ana", to=server)
    assert (await ana.ask(ROOM_JOIN, {"room": ONE}))["ok"]
    assert (await ana.ask(AUTH_REFRESH, {"token": server.token("ana")}))["ok"]
    assert members(server, ONE) == [1]


FAULTS = {
    "an error": {"error": RuntimeError("the database is away")},
    "a timeout of the driver": {"error": TimeoutError()},
    "a cancelled query": {"error": asyncio.CancelledError()},
    "a malformed room": {"names": [ONE, "order 7"]},
    "a user's room": {"names": [user_room("bob")]},
    "a text": {"names": ONE},
    "a number": {"names": [7]},
    "nothing": {"names": None},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_unknown_rooms_refuse_a_connect_for_now(serve, connect, dial, new_tab, fault):
    orders, seen = Orders(), []
    server = await serve(entitlements=orders, on_error=lambda error, **details: seen.append(details))
    bob = await connect("bob", to=server)
    vars(orders).update(fault)
    with capture_logs() as entries:
        await is_turned_away(server, await dial(to=server), {"token": server.token("ana")})
    assert [entry["reason"] for entry in entries if entry["event"] == "refused"] == ["rooms_unknown"]
    assert [entry["id"] for entry in entries if entry["event"] == "rooms_of failed"] == [seen[0]["id"]]
    await notices_nothing(server, bob)


async def test_a_standard_client_comes_back_after_the_trouble(serve, connect, new_tab, until):
    orders = Orders(ONE)
    server = await serve(entitlements=orders)
    tab = await connect("ana", to=server, client={"reconnection": True, "reconnection_delay": 0.01})
    orders.error = RuntimeError("the database is away")
    await tab.sio.eio.ws.close()
    await until(lambda: len(orders.asked) > 2)
    orders.error = None
    await until(lambda: members(server, ONE) == [1])


async def test_an_answer_that_does_not_come_refuses_for_now(serve, dial):
    orders = Orders(ONE)
    orders.is_stuck = True
    server = await serve(entitlements=orders, handshake_seconds=1)
    await is_turned_away(server, await dial(to=server), {"token": server.token("ana")})


async def test_a_refusal_of_the_entitlements_counts_as_it_is(serve, dial):
    orders = Orders()
    orders.error = Unauthorized(reason="deleted_user")
    server = await serve(entitlements=orders)
    await is_refused(server, await dial(to=server), {"token": server.token("ana")})


async def test_a_client_that_waits_for_its_rooms_is_in_none(serve, connect, dial, until):
    orders = Orders(ONE)
    server = await serve(entitlements=orders)
    bob = await connect("bob", to=server)
    orders.is_stuck = True
    wire = await dial(to=server)
    await wire.send(f'40{{"token":"{server.token("ana")}"}}')
    await until(lambda: len(orders.asked) == 2)
    assert members(server, ONE, user_room("ana"), role_room(PLAIN)) == [1, 0, 1]
    await notices_nothing(server, bob)


async def test_rooms_above_the_limit_are_left_out_and_logged(serve, connect):
    orders = Orders(ONE, TWO, ONE, THREE)
    server = await serve(entitlements=orders, rooms_per_socket=2)
    with capture_logs() as entries:
        await connect("ana", to=server)
    assert members(server, ONE, TWO, THREE) == [1, 1, 0]
    [entry] = [entry for entry in entries if entry["event"] == "too many rooms"]
    assert (entry["user"], entry["left_out"], entry["setting"]) == ("ana", 1, "SERVER_ROOMS_PER_SOCKET")


async def test_the_rooms_of_a_token_take_space_first(serve, connect):
    server = await serve(entitlements=Orders(TWO, THREE), rooms_per_socket=2)
    await connect("ana", to=server, rooms=[ONE])
    assert members(server, ONE, TWO, THREE) == [1, 1, 0]


async def refreshed(server, tab, role=PLAIN, **claims):
    return await tab.ask(AUTH_REFRESH, {"token": server.token("ana", role, **claims)})


async def test_a_refresh_joins_new_rooms_and_leaves_revoked_ones(serve, connect):
    orders = Orders(ONE, TWO)
    server = await serve(entitlements=orders)
    ana = await connect("ana", to=server)
    orders.names = [TWO, THREE]
    assert (await refreshed(server, ana))["ok"]
    assert members(server, ONE, TWO, THREE) == [0, 1, 1]


async def test_a_refresh_keeps_the_limit(serve, connect):
    orders = Orders(ONE, TWO)
    server = await serve(entitlements=orders, rooms_per_socket=2)
    ana = await connect("ana", to=server)
    orders.names = [THREE, ONE, TWO]
    await refreshed(server, ana)
    assert members(server, ONE, TWO, THREE) == [1, 1, 0]


async def test_a_failed_refresh_leaves_them_and_a_retry_heals(serve, connect):
    orders = Orders(ONE)
    server = await serve(entitlements=orders)
    ana = await connect("ana", to=server)
    orders.error = RuntimeError("the database is away")
    error = (await refreshed(server, ana))["error"]
    assert (error["code"], "database" in error["message"]) == ("busy", False)
    assert members(server, ONE, user_room("ana")) == [0, 1]
    orders.error = None
    assert (await refreshed(server, ana))["ok"]
    assert members(server, ONE) == [1]


async def test_a_refresh_without_an_answer_in_time_is_busy(serve, connect):
    orders = Orders(ONE)
    server = await serve(entitlements=orders, handler_seconds=0.5)
    ana = await connect("ana", to=server)
    orders.is_stuck = True
    assert (await refreshed(server, ana))["error"]["code"] == "busy"


async def test_a_lesser_role_leaves_its_rooms_before_the_answer(serve, connect, until):
    orders = Orders(ONE)
    server = await serve(entitlements=orders)
    ana = await connect("ana", PRIVILEGED, to=server)
    orders.is_stuck = True
    asking = asyncio.create_task(refreshed(server, ana))
    await until(lambda: len(orders.asked) == 2)
    assert members(server, ONE, role_room(PRIVILEGED), role_room(PLAIN)) == [0, 0, 1]
    await ana.shut_down()
    asking.cancel()


async def test_a_room_that_was_left_is_joined_again_at_connect(serve, connect):
    server = await serve(entitlements=Orders(ONE))
    ana = await connect("ana", to=server)
    await ana.ask(ROOM_LEAVE, {"room": ONE})
    assert members(server, ONE) == [0]
    await connect("ana", to=server)
    assert members(server, ONE) == [1]


async def test_slow_may_join_alone_delays_no_connect(serve, connect):
    server = await serve(entitlements=Stuck())
    await connect("ana", to=server, rooms=[ONE])
    assert members(server, ONE) == [1]
