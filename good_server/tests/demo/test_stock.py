"""Tests of the dispatch platform on the library's own delivery path."""

import pytest


@pytest.fixture
def delivery():
    return "stock"


async def test_a_chat_reaches_all_tabs_but_the_sending_one(server, connect):
    one, two, phone, desk = [await connect(user) for user in ("ana", "ana", "bob", "bob")]
    answer = await one.ask("chat:send", {"to": "bob", "text": "hello"})
    received = await server.fence(one, two, phone, desk)
    assert [[data["text"] for _, data in tab] for tab in received] == [[], ["hello"], ["hello"], ["hello"]]
    assert received[2][0][1]["id"] == answer["data"]["id"]


async def test_a_position_reaches_only_the_drivers_company(server, connect):
    driver = await connect("dan", "driver", company="acme")
    own, other = await connect("c1", "company", company="acme"), await connect("c2", "company", company="other")
    assert (await driver.ask("tracking:update", {"lat": 1.0, "lng": 2.0}))["ok"]
    assert [len(received) for received in await server.fence(own, other)] == [1, 0]
