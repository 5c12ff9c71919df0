"""Tests of `tracking:update` and `driver:status`: content and receivers."""

import pytest

POSITION = {"lat": 52.5, "lng": 13.4}
UPDATES = {"tracking:update": POSITION, "driver:status": {"status": "busy"}}
RECEIVED_AS = {"tracking:update": "tracking:position", "driver:status": "driver:status_changed"}


async def everybody(connect):
    """Connect a driver, and one tab of each other kind of user. Return the tabs by name."""
    return {
        "driver": await connect("dora", "driver", company="acme"),
        "own company": await connect("carl", "company", company="acme"),
        "admin": await connect("adam", "admin"),
        "other company": await connect("cora", "company", company="bolt"),
        "other driver": await connect("drew", "driver", company="acme"),
        "provider": await connect("paul", "provider"),
        "vendor": await connect("vera", "vendor", company="acme"),
    }


async def test_a_position_carries_driver_and_time_from_the_server(serve, connect, clock):
    server = await serve(clock=clock)
    dora, adam = await connect("dora", "driver", to=server), await connect("adam", "admin", to=server)
    at = int(clock.now * 1000)
    assert await dora.ask("tracking:update", POSITION) == {"ok": True, "data": {"at": at}}
    assert await adam.receives("tracking:position") == POSITION | {"driver": "dora", "at": at}


async def test_a_position_may_carry_heading_and_speed(connect):
    dora, adam = await connect("dora", "driver"), await connect("adam", "admin")
    await dora.ask("tracking:update", POSITION | {"heading": 270.5, "speed": 0})
    position = await adam.receives("tracking:position")
    assert position.keys() == {"driver", "lat", "lng", "heading", "speed", "at"}
    assert (position["heading"], position["speed"]) == (270.5, 0)


async def test_a_status_carries_driver_and_time_from_the_server(serve, connect, clock):
    server = await serve(clock=clock)
    dora, adam = await connect("dora", "driver", to=server), await connect("adam", "admin", to=server)
    at = int(clock.now * 1000)
    assert await dora.ask("driver:status", {"status": "available"}) == {"ok": True, "data": {"at": at}}
    assert await adam.receives("driver:status_changed") == {"driver": "dora", "status": "available", "at": at}


@pytest.mark.parametrize("event", UPDATES)
async def test_only_the_own_company_and_admins_follow_a_driver(server, connect, event):
    tabs = await everybody(connect)
    await tabs["driver"].ask(event, UPDATES[event])
    received = dict(zip(tabs, await server.fence(*tabs.values()), strict=True))
    assert {name for name, messages in received.items() if messages} == {"own company", "admin"}
    assert [name for name, _ in received["admin"]] == [RECEIVED_AS[event]]


@pytest.mark.parametrize("event", UPDATES)
async def test_only_admins_follow_a_driver_without_a_company(server, connect, event):
    dora, carl = await connect("dora", "driver"), await connect("carl", "company", company="acme")
    adam = await connect("adam", "admin")
    await dora.ask(event, UPDATES[event])
    to_carl, to_adam = await server.fence(carl, adam)
    assert (len(to_carl), len(to_adam)) == (0, 1)


@pytest.mark.parametrize("role", ["admin", "company", "provider", "vendor"])
@pytest.mark.parametrize("event", UPDATES)
async def test_only_drivers_send_positions_and_statuses(server, connect, event, role):
    tab, adam = await connect("eve", role, company="acme"), await connect("adam", "admin")
    assert await tab.code(event, UPDATES[event]) == "forbidden"
    assert await server.fence(adam) == [[]]


@pytest.mark.parametrize("status", ["available", "busy", "offline"])
async def test_a_driver_has_three_statuses(connect, status):
    dora, adam = await connect("dora", "driver"), await connect("adam", "admin")
    await dora.ask("driver:status", {"status": status})
    assert (await adam.receives("driver:status_changed"))["status"] == status
