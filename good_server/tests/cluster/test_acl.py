"""Tests the Redis user that the README creates for the server."""

import asyncio

import pytest
import pytest_asyncio
from redis.exceptions import NoPermissionError

from ...events import REPORT_READY, REPORT_REQUEST
from ...publish import Publisher
from ...settings import Settings
from ..redis import RealRedis
from ..stand_in import NOTE_RECEIVED, NOTE_SEND, NOTES_PER_SECOND, topic
from ..waiting import WAIT_SECONDS
from .readiness import counted, ready


@pytest.fixture(scope="module")
def redis():
    """A Redis whose only user is the one of the README."""
    with RealRedis() as server:
        yield server


@pytest.fixture
def user_url(redis):
    """The URL of Redis for the user of the README's own line."""
    return redis.create_user()


@pytest_asyncio.fixture(loop_scope="session")
async def worker(worker_pool, user_url):
    """A report worker with the README's user, in the test process."""
    from ...reports.worker import run_worker

    ready, stop = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(run_worker(Settings(redis_url=user_url, report_workers=1), ready.set, stop))
    await asyncio.wait_for(ready.wait(), WAIT_SECONDS)
    yield
    stop.set()
    await asyncio.wait_for(task, WAIT_SECONDS)


@pytest.mark.needs("reports")
@pytest.mark.no_pace("a report worker starts in the loop of the test")
async def test_the_readme_acl_allows_all_that_the_server_does(serve, connect, redis, user_url, worker, until):
    settings = {"redis_url": user_url, NOTES_PER_SECOND: 1, "burst_seconds": 10, "sockets_per_user": 2}
    servers = [await serve(**settings) for _ in range(2)]
    for server in servers:
        link = server.application.guards.cluster.link
        await until(lambda link=link: link.has_own_heartbeat)
    ana, bob = await connect("ana", to=servers[0]), await connect("bob", to=servers[1])
    # rooms, ids and limits: the window in Redis moves once
    acks = [await ana.ask(NOTE_SEND, {"to": "bob", "text": "hello", "id": str(number // 2)}) for number in range(12)]
    assert [ack["ok"] for ack in acks].count(True) >= 10
    assert (await bob.receives(NOTE_RECEIVED))["text"] == "hello"
    # connections of one user on both processes
    for server in (*servers, *servers):
        await connect("eve", to=server)
    # reports, of both kinds
    for kind in ("cpu", "outside"):
        assert (await ana.ask(REPORT_REQUEST, {"kind": kind, "size": 10}))["ok"]
        assert (await ana.receives(REPORT_READY))["kind"] == kind
    # the worker looks for the jobs of dead workers
    swept = redis.calls("lrange")
    await until(lambda: redis.calls("lrange") > swept + 1)
    # orders of a back end with the same user
    async with Publisher(user_url) as publisher:
        assert await publisher.move("ana", join=[topic("17")]) == 2
        assert await publisher.disconnect("ana") == 2
    assert await ana.is_closed()
    for server in servers:
        assert await ready(server) == (200, "ready")
        assert counted(server, "server_redis_lost_total", reason="away") == 0
    assert redis.call("ACL", "LOG") == []


@pytest.mark.parametrize(
    "command",
    [("GET", "other:x"), ("PUBLISH", "other:rooms", "x"), ("SUBSCRIBE", "other:rooms"), ("FLUSHALL",), ("KEYS", "*")],
)
async def test_the_readme_acl_allows_nothing_else(redis, user_url, command):
    name, _, password = user_url.removeprefix("redis://").partition("@")[0].partition(":")
    with pytest.raises(NoPermissionError):
        redis.call_as(name, password, *command)
