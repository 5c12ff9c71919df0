"""Tests of Redis outages: local delivery continues and recovery is automatic."""

import asyncio

import pytest

from ...cluster.redis_link import RedisLink
from ...observability import Metrics
from ...settings import Settings
from ..redis import Deafening, RealRedis
from ..stand_in import NOTE_RECEIVED, NOTE_SEND, NOTES_PER_SECOND
from ..waiting import WAIT_SECONDS
from .readiness import counted, ready


@pytest.fixture(scope="module")
def redis():
    """A Redis server for this file only, because its tests stop Redis."""
    with RealRedis() as server:
        yield server


def lost(server, reason="away"):
    return counted(server, "server_redis_lost_total", reason=reason)


@pytest.mark.parametrize("how", ["stopped", "paused"])
async def test_without_redis_local_delivery_goes_on_and_loss_counts(two, redis, connect, until, how):
    first, second = await two(redis_seconds=0.2)
    ana, bob, far = await connect("ana", to=first), await connect("bob", to=first), await connect("bob", to=second)
    assert await ready(first) == (200, "ready")
    (redis.stop if how == "stopped" else redis.pause)()
    try:
        await until(lambda: first.application.guards.cluster.link.state == "down")
        assert await ready(first) == (200, "degraded")
        before = lost(first)
        assert (await ana.ask(NOTE_SEND, {"to": "bob", "text": "near", "id": f"1 {how}"}))["ok"]
        assert (await bob.receives(NOTE_RECEIVED))["text"] == "near"
        assert (await connect("eve", to=first)).sio.connected
        assert lost(first) == before + 1
    finally:
        (redis.start if how == "stopped" else redis.resume)()
    for server in (first, second):
        await until(lambda server=server: server.application.guards.cluster.link.state == "up")
    await recovered(first, second, until)
    assert (await ana.ask(NOTE_SEND, {"to": "bob", "text": "far"}))["ok"]
    assert (await far.receives(NOTE_RECEIVED))["text"] == "far"
    assert await ready(first) == (200, "ready")


async def recovered(first, second, until):
    """Wait until both servers receive messages through Redis again.

    That is a moment after Redis itself is back.
    """
    for server in (first, second):
        await until(lambda server=server: server.application.guards.cluster.link.has_own_heartbeat)


async def test_limits_of_one_process_hold_while_redis_is_away(two, redis, connect, until):
    first, _ = await two(redis_seconds=0.2, **{NOTES_PER_SECOND: 0.1}, burst_seconds=50)
    ana = await connect("ana", to=first)
    redis.stop()
    try:
        await until(lambda: first.application.guards.cluster.link.state == "down")
        acks = [await ana.ask(NOTE_SEND, {"to": "bob", "text": "x"}) for _ in range(6)]
    finally:
        redis.start()
    assert [ack["ok"] for ack in acks] == [True] * 5 + [False]
    await until(lambda: first.application.guards.cluster.link.state == "up")


async def test_a_deaf_subscriber_fails_readiness_and_recovers(serve, redis, until):
    async with Deafening(redis) as way:
        shared = {"redis_prefix": "deaf", "redis_deaf_seconds": 1.5}
        first = await serve(redis_url=way.url, **shared)
        second = await serve(redis_url=redis.url, **shared)
        link = first.application.guards.cluster.link
        await until(lambda: link.has_own_heartbeat)
        # Redis answers and the connection is open, but no message arrives on it
        way.is_deaf = True
        await until(lambda: link.state == "deaf")
        assert await ready(first) == (503, "deaf")
        assert await ready(second) == (200, "ready")
        way.is_deaf = False
        await until(lambda: link.state == "up")
        assert await ready(first) == (200, "ready")


async def test_a_server_starts_without_redis_and_finds_it_later(serve, redis, connect, until):
    redis.stop()
    try:
        server = await serve(redis_url=redis.url, redis_prefix="late", redis_seconds=0.2)
        assert await ready(server) == (200, "degraded")
        assert (await connect("ana", to=server)).sio.connected
    finally:
        redis.start()
    await until(
        lambda: (
            server.application.guards.cluster.link.state == "up"
            and server.application.guards.cluster.link.has_own_heartbeat
        )
    )
    assert await ready(server) == (200, "ready")


async def test_a_busy_link_stops_at_once(redis):
    settings = Settings(redis_url=redis.url, redis_prefix="busy")
    # before Python 3.12, redis-py swallows about one cancellation in twenty
    for number in range(100):
        link = RedisLink(settings, Metrics())
        await link.start()
        for _ in range(20):
            link.publish({"method": "emit"})
        await asyncio.sleep(number % 5 / 2000)
        await asyncio.wait_for(link.stop(), WAIT_SECONDS)
