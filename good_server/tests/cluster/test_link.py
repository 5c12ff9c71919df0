"""Tests of the server's link to Redis: requests, queued messages and outages."""

import asyncio
from contextlib import suppress

import pytest
from redis.asyncio.connection import AbstractConnection

from ... import lifecycle
from ...cluster import redis_link as link_module
from ...cluster.redis_link import RedisLink
from ...cluster.redis_pool import CONNECTIONS, RedisUnavailable
from ...observability import Metrics
from ...settings import Settings
from ..ports import is_open, lasting_port
from ..stand_in import create_app
from ..waiting import WAIT_SECONDS, until


@pytest.fixture
def new_link(redis, request):
    """`new_link(**settings)` returns a link to Redis that only this test uses."""

    def make(**settings):
        return RedisLink(Settings(redis_url=redis.url, redis_prefix=f"link-{id(request)}", **settings), Metrics())

    return make


async def test_waiting_for_a_connection_is_no_outage(new_link):
    link = new_link(redis_seconds=0.5)
    await link.start()
    questions = [link.query(lambda redis: redis.blpop("nothing", timeout=0.1)) for _ in range(10 * CONNECTIONS)]
    # each connection runs its queries one after the other: this takes a second in all
    assert await asyncio.gather(*questions) == [None] * len(questions)
    assert link.is_up
    await link.stop()


async def test_one_late_answer_is_no_outage(new_link, monkeypatch):
    # no heartbeat is due meanwhile
    monkeypatch.setattr(link_module, "HEARTBEAT_SECONDS", 10 * WAIT_SECONDS)
    link, asked = new_link(redis_seconds=0.2), []
    await link.start()
    with pytest.raises(RedisUnavailable):
        await link.query(lambda redis: redis.blpop("nothing", timeout=0.5))
    # publishing goes on, and the next queries do not wait
    assert link.is_up
    with pytest.raises(RedisUnavailable):
        await link.query(lambda redis: asked.append(redis))
    assert asked == []
    async with asyncio.timeout(WAIT_SECONDS):
        while not await is_answered(link):  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)
    assert link.is_up
    await link.stop()


async def is_answered(link):
    with suppress(RedisUnavailable):
        return await link.query(lambda redis: redis.ping())


async def test_a_connection_lost_during_a_write_is_an_outage(new_link, monkeypatch):
    link = new_link()
    await link.start()

    async def closed(*_, **__):
        raise RuntimeError("the handler is closed")  # uvloop's message

    with monkeypatch.context() as patch:
        patch.setattr(AbstractConnection, "send_packed_command", closed)
        with pytest.raises(RedisUnavailable):
            await link.query(lambda redis: redis.ping())
        # publishing finds the outage too
        await asyncio.sleep(0)
        await link._send()
        assert link.state == "down"
    await until(lambda: link.is_up)
    await link.stop()


@pytest.mark.parametrize("turns", range(12))
async def test_a_stopping_link_still_publishes_what_was_queued(new_link, turns):
    receiver, sender = new_link(), new_link()
    received = aiter(receiver.messages())
    await receiver.start()
    first = asyncio.create_task(anext(received))
    await until(lambda: receiver.has_own_heartbeat)
    await sender.start()
    sender.publish({"method": "last words"})
    for _ in range(turns):
        await asyncio.sleep(0)
    await sender.stop()
    assert await asyncio.wait_for(first, WAIT_SECONDS) == {"method": "last words"}
    await received.aclose()
    await receiver.stop()


async def test_a_server_listens_once_its_pub_sub_works(redis, worker_pool):
    port, stop = lasting_port(), asyncio.Event()
    application = create_app(Settings(port=port, internal_port=0, redis_url=redis.url, redis_prefix="early"))
    serving = asyncio.create_task(lifecycle.serve(application, lambda addresses: None, stop))
    await until(lambda: serving.done() or is_open(port))
    assert application.guards.cluster.link.has_own_heartbeat
    stop.set()
    await asyncio.wait_for(serving, WAIT_SECONDS)
