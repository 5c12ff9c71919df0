"""Tests that a session refresh moves a client between platform rooms."""

from ..checks import notices_nothing

POSITION = {"lat": 52.5, "lng": 13.4}
ANNOUNCEMENT = {"text": "hello", "level": "info"}


async def test_a_refresh_to_admin_receives_positions_at_once(server, connect):
    tab, dora = await connect("ana", "vendor"), await connect("dora", "driver")
    await tab.ask("auth:refresh", {"token": server.token("ana", "admin")})
    await dora.ask("tracking:update", POSITION)
    assert (await tab.receives("tracking:position"))["driver"] == "dora"
    assert (server.members("role:vendor"), server.members("role:admin")) == (0, 1)


async def test_a_refresh_to_vendor_loses_the_rights_of_an_admin(server, connect):
    tab, dora = await connect("ana", "admin"), await connect("dora", "driver")
    assert (await tab.ask("auth:refresh", {"token": server.token("ana", "vendor")}))["ok"]
    await dora.ask("tracking:update", POSITION)
    assert await server.fence(tab) == [[]]
    assert await tab.code("system:announce", ANNOUNCEMENT) == "forbidden"
    assert (server.members("role:admin"), server.members("role:vendor")) == (0, 1)


async def test_a_refresh_to_another_company_moves_the_rooms_at_once(server, connect):
    carl, dora = await connect("carl", "company", company="acme"), await connect("dora", "driver", company="acme")
    await carl.ask("auth:refresh", {"token": server.token("carl", "company", company="bolt")})
    await dora.ask("tracking:update", POSITION)
    assert await server.fence(carl) == [[]]
    assert (server.members("company:acme"), server.members("company:bolt")) == (0, 1)


async def test_a_refresh_to_another_platform_user_is_refused(server, connect):
    tab, bob, eve = await connect("ana"), await connect("bob"), await connect("eve", "admin")
    for role in ("vendor", "admin"):
        assert await tab.code("auth:refresh", {"token": server.token("eve", role)}) == "unauthorized"
    assert (server.members("user:eve"), server.members("role:admin"), server.members("role:vendor")) == (1, 1, 2)
    await eve.ask("chat:send", {"to": "ana", "text": "hello"})
    assert (await tab.receives("chat:message"))["to"] == "ana"
    await notices_nothing(server, bob)


async def test_a_former_admin_may_not_announce_after_a_reconnect(server, connect):
    ana = await connect("ana", "admin")
    await ana.sio.disconnect()
    again = await connect("ana", "vendor")
    assert await again.code("system:announce", ANNOUNCEMENT) == "forbidden"
