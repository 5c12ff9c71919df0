"""Tests of denials and moves over two processes with one Redis."""

import asyncio
import json
import secrets
import time

import pytest
import pytest_asyncio
import socketio
from hypothesis import given
from hypothesis import strategies as some

from ...denials import KEEP_MS, Denial
from ...events import AUTH_REFRESH
from ...orders import DISCONNECT, MOST_DENY_SECONDS, MOVE, SKEW_MS, Disconnect, Move, read_order
from ...publish import Publisher, PublishError
from ...roles import USER_ID_FORM
from ...rooms import user_room
from ..checks import AT_ONCE_SECONDS, notices_nothing
from ..orders import TAKES_ORDERS, order, ordered
from ..redis import RealRedis
from ..stand_in import NOTICE_PUBLISHED, topic
from ..tokens import signed
from .readiness import counted

NOTICE = {"event": NOTICE_PUBLISHED, "data": {"text": "hello"}}


@pytest_asyncio.fixture(loop_scope="session")
async def publisher(shared):
    async with Publisher(shared["redis_url"], prefix=shared["redis_prefix"]) as opened:
        yield opened


@pytest.fixture
def refused(new_tab):
    """`await refused(server, token)` returns the code of a refused connect."""

    async def try_connect(server, token):
        tab = new_tab()
        with pytest.raises(socketio.exceptions.ConnectionError):
            await tab.connect(server.url, token)
        return (await asyncio.wait_for(tab.refusal, 10))["data"]["code"]

    return try_connect


def newer(server, seconds=2):
    """Return a token of ana that was issued a little later."""
    return signed(server.settings, time.time() + seconds)


async def closed_at_once(*tabs):
    for tab in tabs:
        assert await asyncio.wait_for(tab.closed.wait(), AT_ONCE_SECONDS)


async def through_publisher(publisher, http, server, **more):
    await publisher.disconnect("ana", **more)


async def through_the_port(publisher, http, server, **more):
    await ordered(http, server, "/disconnect", user="ana", **more)


@pytest.mark.parametrize("disconnect", [through_publisher, through_the_port])
async def test_row_56_a_user_is_gone_from_both_processes(two, connect, http, publisher, refused, disconnect):
    servers = await two(**TAKES_ORDERS)
    bobs = [await connect("bob", to=server) for server in servers]
    old = servers[0].token("ana")
    anas = [await connect("ana", to=server, token=old) for server in servers]
    await disconnect(publisher, http, servers[0])
    await closed_at_once(*anas)
    for server, bob in zip(servers, bobs, strict=True):
        assert await refused(server, old) == "unauthorized"
        assert server.members(user_room("ana")) == 0
        await notices_nothing(server, bob)
        again = await connect("ana", to=server, token=newer(server))
        assert await again.code(AUTH_REFRESH, {"token": old}) == "unauthorized"


@pytest.mark.parametrize("disconnect", [through_publisher, through_the_port])
async def test_row_56_a_ban_holds_on_both_processes(two, connect, http, publisher, refused, disconnect):
    servers = await two(**TAKES_ORDERS)
    await disconnect(publisher, http, servers[0], deny_seconds=2)
    for server in servers:
        assert await refused(server, newer(server)) == "unauthorized"
    # the time of tokens is the time of the day
    await asyncio.sleep(2)
    await connect("ana", to=servers[1], token=newer(servers[1]))


async def test_row_56_a_process_that_starts_later_refuses_too(two, serve, shared, publisher, refused):
    first, _ = await two()
    old = first.token("ana")
    await publisher.disconnect("ana")
    later = await serve(**shared)
    assert await refused(later, old) == "unauthorized"


async def test_an_order_through_one_port_reaches_all_processes(two, connect, http, until):
    servers = await two(**TAKES_ORDERS)
    anas = [await connect("ana", to=server) for server in servers]
    await ordered(http, servers[0], "/rooms", user="ana", join=[topic("1")])
    for server in servers:
        await until(lambda server=server: server.members(topic("1")) == 1)
    await ordered(http, servers[1], "/publish", **NOTICE, to=[topic("1")])
    for ana in anas:
        assert await ana.receives(NOTICE_PUBLISHED) == {"text": "hello"}
    await ordered(http, servers[1], "/rooms", user="ana", leave=[topic("1")])
    for server in servers:
        await until(lambda server=server: server.members(topic("1")) == 0)


async def test_redis_keeps_a_denial_until_it_ends(two, http, redis, shared, publisher):
    servers = await two(**TAKES_ORDERS)
    key, settings = f"{shared['redis_prefix']}:denied:ana", servers[0].settings
    longer = settings.token_life_seconds + 2 * settings.jwt_leeway_seconds
    await ordered(http, servers[0], "/disconnect", user="ana", deny_seconds=50)
    assert 49_000 < redis.call("PTTL", key) <= 50_000
    await ordered(http, servers[0], "/disconnect", user="ana")
    assert (longer - 2) * 1000 < redis.call("PTTL", key) <= longer * 1000
    # a shorter one shortens neither the denial nor the life of the key
    before = redis.call("GET", key)
    await ordered(http, servers[0], "/disconnect", user="ana", deny_seconds=1)
    assert redis.call("GET", key) == before
    assert (longer - 2) * 1000 < redis.call("PTTL", key)
    # a publisher does not know how long tokens live
    await publisher.disconnect("ana")
    assert KEEP_MS - 2000 < redis.call("PTTL", key) <= KEEP_MS
    await publisher.disconnect("eve", deny_seconds=0)
    assert redis.call("EXISTS", f"{shared['redis_prefix']}:denied:eve") == 0


async def test_long_lived_tokens_extend_the_denial_of_a_publisher(two, connect, redis, shared, publisher, until):
    life_ms = 100 * 24 * 3600 * 1000
    servers = await two(token_life_seconds=life_ms // 1000)
    ana = await connect("ana", to=servers[0])
    await publisher.disconnect("ana")
    await ana.is_closed()
    await until(lambda: redis.call("PTTL", f"{shared['redis_prefix']}:denied:ana") > life_ms - 5000)


@pytest.fixture
def own_redis():
    """A Redis that a test may stop."""
    with RealRedis() as server:
        yield server


async def down(servers, redis, until):
    redis.stop()
    for server in servers:
        await until(lambda server=server: server.application.guards.cluster.link.state == "down")


async def test_row_56_without_redis_the_processes_use_what_they_heard(serve, connect, own_redis, until, refused):
    servers = [await serve(redis_url=own_redis.url) for _ in range(2)]
    for server in servers:
        await until(lambda server=server: server.application.guards.cluster.link.has_own_heartbeat)
    old = servers[0].token("ana")
    anas = [await connect("ana", to=server, token=old) for server in servers]
    async with Publisher(own_redis.url) as publisher:
        await publisher.disconnect("ana")
        await closed_at_once(*anas)
    await down(servers, own_redis, until)
    for server in servers:
        assert await refused(server, old) == "unauthorized"
        await connect("bob", to=server)


async def test_an_order_without_redis_is_kept_and_told(serve, connect, http, own_redis, until, refused):
    servers = [await serve(redis_url=own_redis.url, **TAKES_ORDERS) for _ in range(2)]
    for server in servers:
        await until(lambda server=server: server.application.guards.cluster.link.has_own_heartbeat)
    old = servers[0].token("ana")
    near, far = [await connect("ana", to=server, token=old) for server in servers]
    await down(servers, own_redis, until)
    status, answer = await order(http, servers[0], "/disconnect", {"user": "ana"})
    assert (status, answer["error"]["code"]) == (503, "busy")
    await closed_at_once(near)
    assert await refused(servers[0], old) == "unauthorized"
    # nothing is sent twice when the back end tries again
    assert (await order(http, servers[1], "/publish", NOTICE | {"to": [user_room("ana")]}))[0] == 503
    assert far.inbox.empty()
    own_redis.start()
    assert await far.is_closed()
    assert await refused(servers[1], old) == "unauthorized"


async def test_row_56_an_order_during_a_lost_subscription_is_found(two, connect, redis, publisher, until, monkeypatch):
    servers = await two()
    anas = [await connect("ana", to=server) for server in servers]
    bob = await connect("bob", to=servers[0])
    redis.call("CLIENT", "KILL", "TYPE", "pubsub")
    assert await publisher.disconnect("ana") == 0
    for ana in anas:
        assert await ana.is_closed()
    await notices_nothing(servers[0], bob)


async def test_a_redis_that_refuses_writes_still_passes_the_order_on(connect, serve, own_redis, until, refused):
    server = await serve(redis_url=own_redis.url)
    await until(lambda: server.application.guards.cluster.link.has_own_heartbeat)
    old = server.token("ana")
    ana = await connect("ana", to=server, token=old)
    own_redis.call("CONFIG", "SET", "maxmemory", "1")
    async with Publisher(own_redis.url) as publisher:
        with pytest.raises(PublishError, match="OOM"):
            await publisher.disconnect("ana")
    await closed_at_once(ana)
    assert await refused(server, old) == "unauthorized"


async def test_a_key_of_another_type_does_not_hide_other_denials(two, connect, redis, shared, publisher):
    servers = await two()
    ana, bob = await connect("ana", to=servers[0]), await connect("bob", to=servers[0])
    redis.call("HSET", f"{shared['redis_prefix']}:denied:bob", "x", "x")
    redis.call("CLIENT", "KILL", "TYPE", "pubsub")
    await publisher.disconnect("ana")
    assert await ana.is_closed()
    await notices_nothing(servers[0], bob)
    assert (await connect("bob", to=servers[1])).sio.connected


NOW_MS = int(time.time() * 1000)
LATE_MS = NOW_MS + 10 * SKEW_MS
DENY = {"method": DISCONNECT, "user": "bob", "issued_until": NOW_MS, "all_until": 0}
MOVING = {"method": MOVE, "user": "bob", "join": [topic("1")], "leave": []}
FORGED = [
    *(DENY | {"user": user} for user in (None, "", 1, "a b", ["bob"], "x" * 200, "bob\n")),
    *(DENY | {"issued_until": at} for at in (None, -1, 1.5, "1", True, LATE_MS, 10**30, [1])),
    *(DENY | {"all_until": at} for at in (None, -1, 1.5, "1", True, LATE_MS + MOST_DENY_SECONDS * 1000, 10**30)),
    DENY | {"sid": "x"},
    DENY | {"method": "disconnect"},
    {"method": DISCONNECT},
    *(MOVING | {"user": user} for user in (None, "", 1, "a b", ["bob"])),
    *(MOVING | {"join": join} for join in (None, [], "x", [1], [""], [user_room("eve")], [topic("1"), "x"], {})),
    *(MOVING | {"leave": leave} for leave in (None, [user_room("bob")], [topic("1")], topic("2"))),
    MOVING | {"namespace": "/"},
    {"method": MOVE},
]


async def test_row_52_a_forged_order_does_nothing(two, connect):
    server, _ = await two()
    bob, link = await connect("bob", to=server), server.application.guards.cluster.link
    envelope = {"from": secrets.token_hex(16), "first": 0, "messages": FORGED}
    for text in map(json.dumps, (*FORGED, envelope)):
        await link.query(lambda redis, text=text: redis.publish(link.channel, text))
    await notices_nothing(server, bob)
    assert server.members(topic("1")) == 0
    assert len(server.application.guards.cluster.denials) == 0
    assert counted(server, "server_redis_ignored_total") == 2 * len(FORGED)


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELD = some.sampled_from(["method", "user", "join", "leave", "issued_until", "all_until", "x"])
VALUE = JSON | some.sampled_from([MOVE, DISCONNECT, "bob", [topic("1")], [], 0, NOW_MS, LATE_MS])


@given(some.dictionaries(FIELD, VALUE))
def test_garbage_on_the_channel_is_no_order(message):
    found = read_order(message, NOW_MS / 1000)
    if found is not None:
        assert {"method", "user"} <= message.keys() <= {"method", *type(found).model_fields}
        assert isinstance(found, Move | Disconnect)


@given(some.from_regex(USER_ID_FORM, fullmatch=True), some.integers(0, NOW_MS), some.integers(0, NOW_MS))
def test_an_order_survives_the_channel(user, issued_until, all_until):
    sent = Disconnect(user=user, issued_until=issued_until, all_until=all_until)
    assert read_order(json.loads(json.dumps(sent.model_dump(mode="json"))), NOW_MS / 1000) == sent
    assert sent.denial == Denial(issued_until, all_until)
