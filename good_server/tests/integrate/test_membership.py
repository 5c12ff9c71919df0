"""Tests the recipes of `INTEGRATE.md` that move and disconnect users."""

import asyncio
import sys

import pytest
import socketio

from ...events import CHAT_MESSAGE, CHAT_SEND
from .. import recipes
from ..tokens import production_token
from .backends import run
from .conftest import PUBLISH_TOKEN

pytestmark = pytest.mark.slow

# "gone within a second" is the promise of the issue; the transport may take that long after the packet
GONE_SECONDS = 1.0
HEADING = "Membership and revocation"


async def assert_membership(tabs_of, run_recipe):
    """Run the recipe, and check which users it moves and disconnects."""
    ben, eve, dan = await tabs_of("ben", "job:16"), await tabs_of("eve"), await tabs_of("dan", "job:17")
    await run_recipe()
    for tab in eve:
        await asyncio.wait_for(tab.closed.wait(), GONE_SECONDS)
    await dan[0].ask(CHAT_SEND, {"room": "job:17", "text": "hello"})
    for tab in ben:
        assert (await tab.receives(CHAT_MESSAGE))["text"] == "hello"
        assert await tab.code(CHAT_SEND, {"room": "job:16", "text": "hello"}) == "forbidden"
    assert not any(tab.closed.is_set() for tab in dan)


@pytest.fixture
def tabs_of(new_tab):
    def connecting(*servers):
        async def connect(user, *rooms):
            tabs = []
            for server in servers:
                tabs.append(new_tab())
                await tabs[-1].connect(server.url, production_token(user, rooms=rooms))
            return tabs

        return connect

    return connecting


@pytest.mark.needs("cluster")
async def test_a_publisher_moves_and_disconnects_on_both_processes(two_servers, tabs_of, new_tab, redis, tmp_path):
    recipes.write(HEADING, tmp_path)
    old_tokens = {user: production_token(user) for user in ("ana", "eve")}

    async def run_recipe():
        await run(tmp_path, sys.executable, "membership.py", SERVER_REDIS_URL=redis.url)

    await assert_membership(tabs_of(*two_servers), run_recipe)
    for server in two_servers:
        for token in old_tokens.values():
            with pytest.raises(socketio.exceptions.ConnectionError):
                await new_tab().connect(server.url, token)


async def test_the_internal_port_moves_and_disconnects(one_server, tabs_of, new_tab, tmp_path):
    (commands,) = recipes.blocks(HEADING, "sh")
    variables = {"SERVER_INTERNAL_URL": one_server.internal_urls[0], "SERVER_PUBLISH_TOKEN": PUBLISH_TOKEN}

    async def run_recipe():
        await run(tmp_path, "sh", "-ec", commands, **variables)

    await assert_membership(tabs_of(one_server, one_server), run_recipe)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await new_tab().connect(one_server.url, production_token("eve"))
