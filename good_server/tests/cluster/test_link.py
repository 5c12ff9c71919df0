"""The link to Redis: requests, queued messages and outages."""

import asyncio

import pytest
from redis.asyncio.connection import AbstractConnection

from ... import lifecycle
from ...app import create_app
from ...cluster import redis_link as link_module
from ...cluster.redis_link import CONNECTIONS, RedisLink, RedisUnavailable
from ...observability import Metrics
from ...settings import Settings
from ..ports import is_open, lasting_port
from ..waiting import WAIT_SECONDS, until


@pytest.fixture
def new_link(redis, request):
    """`new_link(any_setting=…)`: a link of this test's own."""

    def make(**settings):
        return RedisLink(Settings(redis_url=redis.url, redis_prefix=f"link-{id(request)}", **settings), Metrics())

    return make


async def test_waiting_for_a_connection_is_no_outage(new_link):
    link = new_link(redis_seconds=0.5)
    await link.start()
    questions = [link.query(lambda redis: redis.blpop("nothing", timeout=0.1)) for _ in range(10 * CONNECTIONS)]
    # one after the other on each connection: a second in all
    assert await asyncio.gather(*questions) == [None] * len(questions)
    assert link.is_up
    await link.stop()


async def test_one_late_answer_is_no_outage(new_link, monkeypatch):
    # no heartbeat is due meanwhile
    monkeypatch.setattr(link_module, "HEARTBEAT_SECONDS", 10 * WAIT_SECONDS)
    link = new_link(redis_seconds=0.2)
    await link.start()
    with pytest.raises(RedisUnavailable):
        await link.query(lambda redis: redis.blpop("nothing", timeout=0.5))
    assert not link.is_up
    await until(lambda: link.is_up)
    await link.stop()


async def test_a_connection_lost_during_a_write_is_an_outage(new_link, monkeypatch):
    link = new_link()
    await link.start()

    async def closed(*_, **__):
        raise RuntimeError("the handler is closed")  # in uvloop's words

    with monkeypatch.context() as patch:
        patch.setattr(AbstractConnection, "send_packed_command", closed)
        with pytest.raises(RedisUnavailable):
            await link.query(lambda redis: redis.ping())
        # what is said finds the same
        await asyncio.sleep(0)
        await link._send()
        assert link.state == "down"
    await until(lambda: link.is_up)
    await link.stop()


@pytest.mark.parametrize("turns", range(12))
async def test_a_stopping_link_still_publishes_what_was_queued(new_link, turns):
    listening, talking = new_link(), new_link()
    heard = aiter(listening.heard())
    await listening.start()
    first = asyncio.create_task(anext(heard))
    await until(lambda: listening.has_own_heartbeat)
    await talking.start()
    talking.say({"method": "last words"})
    for _ in range(turns):
        await asyncio.sleep(0)
    await talking.stop()
    assert await asyncio.wait_for(first, WAIT_SECONDS) == {"method": "last words"}
    await heard.aclose()
    await listening.stop()


async def test_a_server_listens_once_its_pub_sub_works(redis, worker_pool):
    port, stop = lasting_port(), asyncio.Event()
    application = create_app(Settings(port=port, internal_port=0, redis_url=redis.url, redis_prefix="early"))
    serving = asyncio.create_task(lifecycle.serve(application, lambda addresses: None, stop))
    await until(lambda: serving.done() or is_open(port))
    assert application.guards.cluster.link.has_own_heartbeat
    stop.set()
    await asyncio.wait_for(serving, WAIT_SECONDS)
