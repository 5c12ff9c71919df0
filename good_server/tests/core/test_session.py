"""Sessions: refresh, change of identity, and expiry."""

import pytest

NOTE = {"to": "ana", "text": "still here"}
POSITION = {"lat": 52.5, "lng": 13.4}


async def test_a_refresh_says_until_when_the_session_lasts(serve, connect, clock):
    server = await serve(clock=clock)
    ana = await connect("ana", to=server, life_seconds=600)
    ack = await ana.ask("auth:refresh", {"token": server.token("ana", life_seconds=7200)})
    assert ack == {"ok": True, "data": {"expires_at": int((clock.now + 7200) * 1000)}}


async def test_a_refresh_with_another_role_moves_the_rooms_at_once(server, connect):
    tab, dora = await connect("ana", "vendor"), await connect("dora", "driver")
    await tab.ask("auth:refresh", {"token": server.token("ana", "admin")})
    await dora.ask("tracking:update", POSITION)
    assert (await tab.hears("tracking:position"))["driver"] == "dora"
    assert (server.members("role:vendor"), server.members("role:admin")) == (0, 1)


async def test_a_refresh_to_a_lesser_role_takes_the_old_permissions(server, connect):
    tab, dora = await connect("ana", "admin"), await connect("dora", "driver")
    await tab.ask("auth:refresh", {"token": server.token("ana", "vendor")})
    await dora.ask("tracking:update", POSITION)
    assert await server.fence(tab) == [[]]
    assert await tab.code("system:announce", {"text": "hello", "level": "info"}) == "forbidden"


async def test_a_refresh_with_another_company_moves_the_rooms_at_once(server, connect):
    carl, dora = await connect("carl", "company", company="acme"), await connect("dora", "driver", company="acme")
    await carl.ask("auth:refresh", {"token": server.token("carl", "company", company="bolt")})
    await dora.ask("tracking:update", POSITION)
    assert await server.fence(carl) == [[]]
    assert (server.members("company:acme"), server.members("company:bolt")) == (0, 1)


async def test_a_refresh_leaves_topic_rooms_no_longer_granted(server, connect):
    ana = await connect("ana", rooms=["job:17", "job:18"])
    await ana.ask("auth:refresh", {"token": server.token("ana", rooms=["job:18"])})
    assert (server.members("job:17"), server.members("job:18")) == (0, 1)


async def test_a_room_that_a_refresh_granted_may_be_joined(server, connect):
    ana = await connect("ana")
    await ana.ask("auth:refresh", {"token": server.token("ana", rooms=["job:17"])})
    assert (await ana.ask("room:join", {"room": "job:17"}))["ok"]


async def test_the_token_of_another_user_refreshes_nothing(server, connect):
    ana, eve = await connect("ana", "vendor"), await connect("eve", "admin")
    assert await ana.code("auth:refresh", {"token": server.token("eve", "admin")}) == "unauthorized"
    assert server.members("role:admin") == 1
    await eve.ask("chat:send", {"to": "ana", "text": "hello"})
    assert (await ana.hears("chat:message"))["to"] == "ana"


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "x" * 9000])
async def test_what_is_no_token_refreshes_nothing(connect, token):
    assert await (await connect("ana")).code("auth:refresh", {"token": token}) == "unauthorized"


async def test_an_expired_token_refreshes_nothing(serve, connect, clock):
    server = await serve(clock=clock)
    ana, old = await connect("ana", to=server, life_seconds=7200), server.token("ana", life_seconds=60)
    clock.advance(600)
    assert await ana.code("auth:refresh", {"token": old}) == "token_expired"


async def test_an_ending_session_is_announced(serve, connect, clock):
    server = await serve(clock=clock)
    ana = await connect("ana", to=server, life_seconds=600)
    clock.advance(550)
    assert await ana.hears("auth:expiring") == {"expires_in": 50.0}


async def test_an_ending_session_is_announced_once_a_token(serve, connect, clock):
    server = await serve(clock=clock)
    ana = await connect("ana", to=server, life_seconds=600)
    clock.advance(550)
    await ana.hears("auth:expiring")
    await ana.ask("auth:refresh", {"token": server.token("ana", life_seconds=600)})
    assert await server.fence(ana) == [[]]
    clock.advance(550)
    assert await ana.hears("auth:expiring") == {"expires_in": 50.0}


async def test_a_session_that_has_ended_serves_no_events(serve, connect, clock):
    ana = await connect("ana", to=await serve(clock=clock), life_seconds=600)
    clock.advance(600)
    assert await ana.code("chat:send", NOTE) == "token_expired"


async def test_a_session_may_be_refreshed_within_the_grace(serve, connect, clock):
    server = await serve(clock=clock)
    ana = await connect("ana", to=server, life_seconds=600)
    clock.advance(620)
    assert (await ana.ask("auth:refresh", {"token": server.token("ana")}))["ok"]
    assert (await ana.ask("chat:send", NOTE))["ok"]


async def test_a_session_is_closed_after_the_grace(serve, connect, clock):
    ana = await connect("ana", to=await serve(clock=clock), life_seconds=600)
    clock.advance(626)
    assert await ana.is_closed()


async def test_a_refreshed_session_outlives_the_first_token(serve, connect, clock):
    server = await serve(clock=clock)
    ana, bob = await connect("ana", to=server, life_seconds=600), await connect("bob", to=server, life_seconds=600)
    await ana.ask("auth:refresh", {"token": server.token("ana", life_seconds=7200)})
    clock.advance(1200)
    # both had the same token life, and only one renewed it
    assert await bob.is_closed()
    assert (await ana.ask("chat:send", NOTE))["ok"]


async def test_a_stock_client_comes_back_with_a_new_token_by_itself(serve, connect, clock):
    server = await serve(clock=clock)
    client = {"reconnection": True, "reconnection_delay": 0.02, "randomization_factor": 0}
    ana = await connect("ana", to=server, client=client, token=lambda: {"token": server.token("ana", life_seconds=600)})
    clock.advance(626)
    assert await ana.is_closed()
    assert await ana.is_back()
    assert (await ana.ask("chat:send", NOTE))["ok"]
