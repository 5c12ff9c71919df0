"""Tests the history on a real PostgreSQL, with two server processes."""

import asyncio

import pytest

pytest.importorskip("asyncpg", reason="pip install asyncpg")

from ...recipes.events import HISTORY_AFTER, HISTORY_SEND, HISTORY_UNREAD
from ..server_processes import serving
from ..tokens import production_token
from .conftest import ROOM
from .postgres import running_postgres
from .test_exactly_the_conversation import KILLS_SECONDS, MANY, RECIPES, chaos_over

pytestmark = [pytest.mark.slow, pytest.mark.timeout(KILLS_SECONDS)]
EACH = 100


@pytest.fixture(scope="module")
def postgres():
    with running_postgres() as url:
        yield url


@pytest.fixture
def database_url(postgres):
    return postgres


async def test_two_processes_give_numbers_without_gaps(tmp_path, postgres, monkeypatch, new_tab):
    monkeypatch.setenv("CHAT_DATABASE_URL", postgres)
    async with serving(tmp_path, 2, program=RECIPES, **MANY) as servers:
        tabs = [new_tab(), new_tab()]
        for tab, server, name in zip(tabs, servers, ("ana", "ben"), strict=True):
            await tab.connect(server.url, production_token(name, rooms=[ROOM]))
        asked = [
            tab.sio.call(HISTORY_SEND, {"room": ROOM, "text": str(number), "id": str(number)}, timeout=60)
            for number in range(EACH)
            for tab in tabs
        ]
        # a reader during the writing sees no number before the one below it
        watching = asyncio.create_task(read_until(tabs[0], 2 * EACH))
        acks = await asyncio.gather(*asked)
        assert sorted(ack["data"]["seq"] for ack in acks) == list(range(1, 2 * EACH + 1))
        assert await watching == list(range(1, 2 * EACH + 1))


async def read_until(tab, count):
    seen = []
    while len(seen) < count:
        ack = await tab.sio.call(HISTORY_AFTER, {"room": ROOM, "after": len(seen)}, timeout=60)
        numbers = [message["seq"] for message in ack["data"]["messages"]]
        assert numbers == list(range(len(seen) + 1, len(seen) + 1 + len(numbers)))
        seen += numbers
    return seen


async def test_unread_counts_work_on_postgres(serve, connect):
    server = await serve()
    ana, ben = [await connect(name, to=server) for name in ("eva", "fred")]
    await ana.ask(HISTORY_SEND, {"to": "fred", "text": "x", "id": "1"})
    again = await ana.ask(HISTORY_SEND, {"to": "fred", "text": "x", "id": "1"})
    assert again["data"]["seq"] == 1
    assert (await ben.ask(HISTORY_UNREAD, {}))["data"]["conversations"] == [
        {"to": "eva", "unread": 1, "read": 0, "last": 1}
    ]


@pytest.mark.needs("cluster")
async def test_it_holds_on_postgres_when_servers_are_killed(tmp_path, monkeypatch, http, shared):
    with running_postgres() as url:
        monkeypatch.setenv("CHAT_DATABASE_URL", url)
        async with serving(tmp_path, 2, program=RECIPES, **(MANY | shared)) as servers:
            await chaos_over(servers, http, seed=7, steps=8)
