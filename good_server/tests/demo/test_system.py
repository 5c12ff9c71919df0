"""`system:announce`: an admin speaks to everyone, or to the roles it names."""

import pytest

NOTICE = {"text": "maintenance at noon", "level": "warning"}
ROLES = ("admin", "driver", "company", "provider", "vendor")


async def one_of_each(connect):
    return {role: await connect(f"{role}-1", role, company="acme") for role in ROLES}


async def test_an_announcement_carries_what_the_server_knows_of_it(serve, connect, clock):
    server = await serve(clock=clock)
    adam, vera = await connect("adam", "admin", to=server), await connect("vera", to=server)
    ack = await adam.ask("system:announce", NOTICE)
    announcement = await vera.hears("system:announcement")
    at = int(clock.now * 1000)
    assert ack == {"ok": True, "data": {"id": announcement["id"], "at": at}}
    sender = {"id": "adam", "role": "admin"}
    assert announcement == NOTICE | {"id": announcement["id"], "from": sender, "at": at}


async def test_an_announcement_reaches_all_once_the_sender_included(server, connect):
    tabs = await one_of_each(connect)
    await tabs["admin"].ask("system:announce", NOTICE)
    heard = await server.fence(*tabs.values())
    assert [[name for name, _ in messages] for messages in heard] == [["system:announcement"]] * 5


async def test_an_announcement_to_roles_reaches_those_alone(server, connect):
    tabs = await one_of_each(connect)
    await tabs["admin"].ask("system:announce", NOTICE | {"roles": ["driver", "vendor", "driver"]})
    heard = dict(zip(tabs, await server.fence(*tabs.values()), strict=True))
    assert {role: len(messages) for role, messages in heard.items() if messages} == {"driver": 1, "vendor": 1}


async def test_an_announcement_does_not_reach_the_unauthenticated(server, connect, dial):
    adam, stranger = await connect("adam", "admin"), await dial()
    await adam.ask("system:announce", NOTICE)
    # the first thing it ever hears is the answer to its CONNECT
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
    assert (await adam.hears("system:announcement"))["level"] == level
