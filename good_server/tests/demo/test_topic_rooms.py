"""Tests that `room:join` and `room:leave` accept topic rooms only."""

import pytest

from ..entitlements import Everything


async def test_the_tokens_rooms_are_joined_before_the_first_event(server, connect):
    await connect("ana", rooms=["job:17", "job:18"])
    assert [server.members(room) for room in ("job:17", "job:18", "user:ana", "role:vendor")] == [1, 1, 1, 1]


async def test_a_reconnect_joins_the_tokens_rooms_again(server, connect, until):
    ana = await connect("ana", rooms=["job:17"])
    await ana.sio.disconnect()
    await until(lambda: server.members("job:17") == 0)
    await connect("ana", rooms=["job:17"])
    assert server.members("job:17") == 1


async def test_a_company_room_holds_company_users_and_no_drivers(server, connect):
    await connect("carl", "company", company="acme")
    await connect("dora", "driver", company="acme")
    assert server.members("company:acme") == 1


async def test_a_tab_that_left_a_room_receives_nothing_from_it(server, connect):
    ana, bob = await connect("ana", rooms=["job:17"]), await connect("bob", rooms=["job:17"])
    assert await bob.ask("room:leave", {"room": "job:17"}) == {"ok": True, "data": {"room": "job:17"}}
    await ana.ask("chat:send", {"room": "job:17", "text": "hello"})
    assert await server.fence(bob) == [[]]


async def test_a_room_of_the_token_may_be_joined_again(connect):
    ana, bob = await connect("ana", rooms=["job:17"]), await connect("bob", rooms=["job:17"])
    await bob.ask("room:leave", {"room": "job:17"})
    assert await bob.ask("room:join", {"room": "job:17"}) == {"ok": True, "data": {"room": "job:17"}}
    await ana.ask("chat:send", {"room": "job:17", "text": "hello"})
    assert (await bob.receives("chat:message"))["room"] == "job:17"


async def test_leaving_a_room_affects_one_tab_only(server, connect):
    first, second = await connect("ana", rooms=["job:17"]), await connect("ana", rooms=["job:17"])
    await first.ask("room:leave", {"room": "job:17"})
    assert await first.code("chat:send", {"room": "job:17", "text": "hello"}) == "forbidden"
    assert (await second.ask("chat:send", {"room": "job:17", "text": "hello"}))["ok"]


async def test_a_room_that_was_never_granted_is_forbidden(server, connect):
    ana = await connect("ana", rooms=["job:17"])
    assert await ana.code("room:join", {"room": "job:18"}) == "forbidden"
    assert server.members("job:18") == 0


async def test_a_room_that_was_granted_meanwhile_may_be_joined(serve, connect):
    server = await serve(entitlements=Everything())
    ana = await connect("ana", to=server)
    assert (await ana.ask("room:join", {"room": "job:18"}))["ok"]
    assert server.members("job:18") == 1


@pytest.mark.parametrize("room", ["user:ana", "user:bob", "role:admin", "role:vendor", "company:acme"])
@pytest.mark.parametrize("event", ["room:join", "room:leave"])
async def test_clients_cannot_join_or_leave_the_servers_rooms(serve, connect, event, room):
    server = await serve(entitlements=Everything())
    ana = await connect("ana", to=server)
    before = ana.sio.get_sid(), server.members(room)
    assert await ana.code(event, {"room": room}) == "forbidden"
    assert (ana.sio.get_sid(), server.members(room)) == before


@pytest.mark.parametrize("room", ["job:", "job:" + "x" * 33, "job:a b", "17", "job:17\n", "JOB:17", "", "job:*"])
@pytest.mark.parametrize("event", ["room:join", "room:leave"])
async def test_a_malformed_room_is_invalid(serve, connect, event, room):
    server = await serve(entitlements=Everything())
    error = (await (await connect("ana", to=server)).ask(event, {"room": room}))["error"]
    assert (error["code"], error["field"]) == ("invalid", "room")


async def test_the_socket_id_of_another_tab_is_not_a_room(serve, connect):
    server = await serve(entitlements=Everything())
    ana, bob = await connect("ana", to=server), await connect("bob", to=server)
    assert await ana.code("room:join", {"room": bob.sio.get_sid()}) == "invalid"


async def test_the_number_of_topic_rooms_is_limited(serve, connect):
    server = await serve(entitlements=Everything(), rooms_per_socket=2)
    ana = await connect("ana", to=server, rooms=["job:1"])
    assert (await ana.ask("room:join", {"room": "job:2"}))["ok"]
    assert await ana.code("room:join", {"room": "job:3"}) == "too_many_rooms"
    assert server.members("job:3") == 0


async def test_a_room_that_was_left_makes_place_for_another(serve, connect):
    server = await serve(entitlements=Everything(), rooms_per_socket=1)
    ana = await connect("ana", to=server, rooms=["job:1"])
    assert await ana.code("room:join", {"room": "job:2"}) == "too_many_rooms"
    await ana.ask("room:leave", {"room": "job:1"})
    assert (await ana.ask("room:join", {"room": "job:2"}))["ok"]


async def test_joining_a_room_twice_takes_one_place(serve, connect):
    server = await serve(entitlements=Everything(), rooms_per_socket=1)
    ana = await connect("ana", to=server, rooms=["job:1"])
    assert (await ana.ask("room:join", {"room": "job:1"}))["ok"]
