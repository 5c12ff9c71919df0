"""Tests of `system:announce`: an admin sends to everyone or named roles."""

import pytest

NOTICE = {"text": "maintenance at noon", "level": "warning"}
ROLES = ("admin", "driver", "company", "provider", "vendor")


async def one_of_each(connect):
    return {role: await connect(f"{role}-1", role, company="acme") for role in ROLES}


async def test_an_announcement_carries_sender_id_and_time(serve, connect, clock):
    server = await serve(clock=clock)
    adam, vera = await connect("adam", "admin", to=server), await connect("vera", to=server)
    ack = await adam.ask("system:announce", NOTICE)
    announcement = await vera.receives("system:announcement")
    at = int(clock.now * 1000)
    assert ack == {"ok": True, "data": {"id": announcement["id"], "at": at}}
    sender = {"id": "adam", "role": "admin"}
    assert announcement == NOTICE | {"id": announcement["id"], "from": sender, "at": at}


async def test_an_announcement_reaches_everyone_once(server, connect):
    tabs = await one_of_each(connect)
    await tabs["admin"].ask("system:announce", NOTICE)
    received = await server.fence(*tabs.values())
    assert [[name for name, _ in messages] for messages in received] == [["system:announcement"]] * 5


async def test_an_announcement_to_roles_reaches_only_these(server, connect):
    tabs = await one_of_each(connect)
    await tabs["admin"].ask("system:announce", NOTICE | {"roles": ["driver", "vendor", "driver"]})
    received = dict(zip(tabs, await server.fence(*tabs.values()), strict=True))
    assert {role: len(messages) for role, messages in received.items() if messages} == {"driver": 1, "vendor": 1}


async def test_an_announcement_does_not_reach_the_unauthenticated(server, connect, dial):
    adam, stranger = await connect("adam", "admin"), await dial()
    await adam.ask("system:announce", NOTICE)
    # its first packet is the answer to its CONNECT
    await stranger.send(f'40{{"token":"{server.token("vera")}"}}')
    assert (await stranger.frame()).startswith('40{"sid"')


@pytest.mark.parametrize("role", ROLES[1:])
async def test_only_admins_announce(server, connect, role):
    tab, vera = await connect("eve", role, company="acme"), await connect("vera")
    assert await tab.code("system:announce", NOTICE) == "forbidden"
    assert await server.fence(vera) == [[]]


@pytest.mark.parametrize("level", ["info", "warning", "critical"])
async def test_an_announcement_has_three_levels(connect, level):
    adam = await connect("adam", "admin")
    assert (await adam.ask("system:announce", NOTICE | {"level": level}))["ok"]
    assert (await adam.receives("system:announcement"))["level"] == level
