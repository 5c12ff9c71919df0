"""Tests of presence: grace period, last seen, several processes."""

from functools import partial

import pytest

from ...events import ROOM_JOIN
from ...recipes import presence
from ...recipes.conversations import presence_room
from ...recipes.events import PRESENCE_CHANGED, PRESENCE_WATCH
from ...recipes.presence import GRACE_SECONDS
from ...recipes.server import create_chat_app
from ...rooms import user_room
from ...services.reports import NoReports
from ..redis import RealRedis
from ..waiting import until

# of the tests with Redis, whose clock a test cannot move
SHORT_SECONDS = 1.0


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(presence, "SWEEP_SECONDS", 0.02)


async def watch(tab, *users):
    return {each["user"]: each for each in (await tab.ask(PRESENCE_WATCH, {"users": list(users)}))["data"]["users"]}


async def test_who_is_connected_is_online(connect):
    ana = await connect("ana")
    assert await watch(ana, "ana", "ben") == {
        "ana": {"user": "ana", "online": True},
        "ben": {"user": "ben", "online": False},
    }


async def test_watchers_see_who_comes(connect):
    ana = await connect("ana")
    await watch(ana, "ben")
    await connect("ben")
    change = await ana.receives(PRESENCE_CHANGED)
    assert (change["user"], change["online"]) == ("ben", True)


async def test_who_leaves_is_offline_after_the_grace(serve, connect, clock):
    server = await serve(clock=clock)
    ana, ben = await connect("ana", to=server), await connect("ben", to=server)
    await watch(ana, "ben")
    await gone(server, ben)
    left_at = int(clock.now * 1000)
    clock.advance(GRACE_SECONDS)
    change = await ana.receives(PRESENCE_CHANGED)
    assert change == {"user": "ben", "online": False, "last_seen": left_at, "at": int(clock.now * 1000)}
    assert await watch(ana, "ben") == {"ben": {"user": "ben", "online": False, "last_seen": left_at}}


async def gone(server, tab):
    """Close a tab, and wait until its server knows."""
    before = server.members(user_room("ben"))
    await tab.shut_down()
    await until(lambda: server.members(user_room("ben")) == before - 1)


async def test_a_reconnect_within_the_grace_is_no_change(serve, connect, clock):
    server = await serve(clock=clock)
    ana = await connect("ana", to=server)
    ben = await connect("ben", to=server)
    await watch(ana, "ben")
    for _ in range(3):
        await gone(server, ben)
        clock.advance(GRACE_SECONDS - 1)
        assert (await watch(ana, "ben"))["ben"]["online"]
        ben = await connect("ben", to=server)
        await server.application.services[1].sweep()
    assert await server.fence(ana) == [[]]


async def test_one_of_two_tabs_keeps_a_user_online(serve, connect, clock):
    server = await serve(clock=clock)
    ana, ben, _ = [await connect(name, to=server) for name in ("ana", "ben", "ben")]
    await watch(ana, "ben")
    await gone(server, ben)
    for _ in range(5):
        clock.advance(GRACE_SECONDS / 2)
        # what the two repeated tasks do
        await server.application.services[1].renew_all()
        await server.application.services[1].sweep()
    assert await server.fence(ana) == [[]]


async def test_who_does_not_watch_hears_nothing(connect, server):
    ana = await connect("ana")
    await watch(ana, "ben")
    await watch(ana, "cem")
    await connect("ben")
    assert await server.fence(ana) == [[]]


async def test_watching_does_not_let_a_client_write_to_the_room(connect):
    ana = await connect("ana")
    await watch(ana, "ben")
    assert await ana.code(ROOM_JOIN, {"room": presence_room("cem")}) == "invalid"


async def test_a_check_of_the_product_decides_who_may_watch(connect, server, monkeypatch):
    async def nobody(identity, user):
        return False

    ana = await connect("ana")
    monkeypatch.setattr(server.application.services[1], "_may_watch", nobody)
    assert await ana.code(PRESENCE_WATCH, {"users": ["ben"]}) == "forbidden"
    assert server.members(presence_room("ben")) == 0


WRONG = [{"users": ["a b"]}, {"users": ["ana"] * 101}, {"users": "ana"}, {}, {"users": [], "more": 1}]


@pytest.mark.parametrize("payload", WRONG)
async def test_a_wrong_payload_is_invalid(connect, payload):
    assert await (await connect("ana")).code(PRESENCE_WATCH, payload) == "invalid"


@pytest.fixture
def create_app(database_url):
    def build(settings, **options):
        grace = GRACE_SECONDS if settings.redis_url is None else SHORT_SECONDS
        return create(settings, grace_seconds=grace, **options)

    create = partial(create_chat_app, database_url=database_url, reports=NoReports())
    return build


@pytest.mark.needs("cluster")
async def test_the_other_process_sees_who_comes_and_leaves(two, connect):
    first, second = await two()
    ana = await connect("ana", to=first)
    assert not (await watch(ana, "ben"))["ben"]["online"]
    ben = await connect("ben", to=second)
    assert (await ana.receives(PRESENCE_CHANGED))["online"]
    await gone(second, ben)
    change = await ana.receives(PRESENCE_CHANGED)
    assert (change["online"], change["last_seen"] < change["at"]) == (False, True)
    # announced by one process only
    assert await first.fence(ana) == [[]]


@pytest.fixture
def guarded_redis():
    """A Redis for the user of the README."""
    with RealRedis() as redis:
        yield redis


@pytest.mark.needs("cluster")
async def test_the_readme_acl_allows_presence(guarded_redis, serve, connect):
    server = await serve(redis_url=guarded_redis.create_user())
    ana, ben = await connect("ana", to=server), await connect("ben", to=server)
    assert (await watch(ana, "ben"))["ben"]["online"]
    await gone(server, ben)
    assert not (await ana.receives(PRESENCE_CHANGED))["online"]
    assert guarded_redis.call("ACL", "LOG") == []


@pytest.mark.needs("cluster")
async def test_a_move_to_the_other_process_is_no_change(two, connect):
    first, second = await two()
    ana, ben = await connect("ana", to=first), await connect("ben", to=first)
    await watch(ana, "ben")
    await connect("ben", to=second)
    await gone(first, ben)
    await watch(ana, "ben", "eve")
    # longer than the grace: eve comes and goes meanwhile
    await gone_after(connect, second, ana)
    assert (await watch(ana, "ben"))["ben"]["online"]


async def gone_after(connect, server, ana):
    """Let eve come and go, and assert that nothing else changes."""
    eve = await connect("eve", to=server)
    assert (await ana.receives(PRESENCE_CHANGED))["user"] == "eve"
    await eve.shut_down()
    change = await ana.receives(PRESENCE_CHANGED)
    assert (change["user"], change["online"]) == ("eve", False)
