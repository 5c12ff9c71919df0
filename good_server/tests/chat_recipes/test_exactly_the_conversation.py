"""Property: every reader ends with exactly the conversation, in order.

Connections are cut, servers are killed and messages are repeated, at random, with a seed.
"""

import asyncio
from contextlib import AsyncExitStack
from types import SimpleNamespace

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from ...recipes.reader import Reader
from ..package import PACKAGE
from ..ports import lasting_port
from ..server_processes import serving
from ..tokens import production_token
from ..waiting import until
from .conftest import ROOM
from .people import Chaos, conversation, joined

RECIPES = ("-m", f"{PACKAGE}.recipes")
NAMES = ("ana", "ben", "cem")
# each kill starts a process again, which imports the server
KILLS_SECONDS = 240
# a run takes about a second
RUN_SECONDS = 20
MANY = {"chat_per_second": 1e6, "events_per_second": 1e6, "sockets_per_address": 1000}


@given(st.permutations(range(1, 9)), st.lists(st.integers(1, 8), max_size=20), st.integers(1, 8))
def test_a_reader_takes_each_message_once_in_order(order, repeated, page):
    reader = Reader()
    stored = [{"seq": seq} for seq in range(1, 9)]
    for seq in [*order, *repeated]:
        # the live emit may be late, twice or missing
        is_behind = reader.take([stored[seq - 1]])
        assert is_behind == (seq > reader.last)
        assert reader.messages == stored[: reader.last]
    while reader.last < len(stored):
        reader.take(stored[reader.last : reader.last + page])
    assert reader.messages == stored


async def checked(chaos, steps, seconds):
    """Run the chaos, and assert that each member has exactly the conversation."""
    async with asyncio.timeout(seconds):
        await chaos.run(steps)
        await chaos.settle()
        for member in chaos.members:
            await member.catch_up()
    received = [list(member.reader.messages) for member in chaos.members]
    whole = await conversation(chaos.members[0])
    assert sorted(message["text"] for message in whole) == sorted(chaos.written)
    assert [message["seq"] for message in whole] == list(range(1, len(whole) + 1))
    assert all(messages == whole for messages in received)
    assert min(chaos.cuts, chaos.restarts, chaos.repeats) > 0


@pytest_asyncio.fixture(loop_scope="session")
async def restarting(serve):
    """A server on a fixed port that a test can restart."""
    port = lasting_port()
    target = SimpleNamespace(port=port, server=await serve(port=port, **MANY))

    async def restart(_):
        await target.server.ended()
        target.server = await serve(port=port, **MANY)

    target.restart = restart
    return target


@pytest.mark.slow
async def test_every_reader_has_exactly_the_conversation(restarting, http):
    async with AsyncExitStack() as stack:
        tokens = [restarting.server.token(name, rooms=[ROOM]) for name in NAMES]
        members = await joined(stack, restarting, tokens, http, ROOM)
        await checked(Chaos(1, members, restarting.restart), steps=6, seconds=RUN_SECONDS)


async def test_a_reader_who_does_not_catch_up_misses_messages(restarting, http):
    async with AsyncExitStack() as stack:
        tokens = [restarting.server.token(name, rooms=[ROOM]) for name in NAMES[:2]]
        ana, ben = await joined(stack, restarting, tokens, http, ROOM, catches_up=False)
        await ana.write("heard")
        await until(lambda: ben.live)
        await ben.close()
        await ana.write("missed")
        (back,) = await joined(stack, restarting, tokens[1:], http, ROOM, catches_up=False)
        await ana.write("later")
        await until(lambda: back.live)
        assert [message["text"] for message in back.live] == ["later"]


async def test_writers_without_ids_of_their_own_write_twice(restarting, http):
    async with AsyncExitStack() as stack:
        tokens = [restarting.server.token(name, rooms=[ROOM]) for name in NAMES]
        members = await joined(stack, restarting, tokens, http, ROOM, keeps_ids=False)
        (ana, *_) = members
        await ana.write("once")
        # its ack was lost, so the client does not know that it is stored
        await ana.write("once")
        assert [message["text"] for message in await conversation(ana)] == ["once", "once"]


async def chaos_over(servers, http, seed, steps):
    """Run the property over server processes, which are killed at random."""

    async def restart(random):
        killed = random.choice(servers)
        await killed.kill()
        await killed.start()

    async with AsyncExitStack() as stack:
        members = []
        for number, name in enumerate(NAMES):
            token = production_token(name, rooms=[ROOM])
            members += await joined(stack, servers[number % len(servers)], [token], http, ROOM)
        await checked(Chaos(seed, members, restart), steps, KILLS_SECONDS / 4)


@pytest.mark.slow
@pytest.mark.timeout(KILLS_SECONDS)
@pytest.mark.parametrize("seed", range(3))
async def test_it_holds_when_the_server_is_killed(tmp_path, database_url, monkeypatch, http, seed):
    monkeypatch.setenv("CHAT_DATABASE_URL", database_url)
    async with serving(tmp_path, 1, program=RECIPES, **MANY) as servers:
        await chaos_over(servers, http, seed, steps=8)


@pytest.mark.needs("cluster")
@pytest.mark.timeout(KILLS_SECONDS)
@pytest.mark.parametrize("seed", range(3))
async def test_it_holds_over_two_processes(tmp_path, database_url, monkeypatch, shared, http, seed):
    monkeypatch.setenv("CHAT_DATABASE_URL", database_url)
    async with serving(tmp_path, 2, program=RECIPES, **(MANY | shared)) as servers:
        await chaos_over(servers, http, seed, steps=8)
