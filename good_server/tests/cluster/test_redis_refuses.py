"""Tests of a Redis that answers with errors. An error reply is not an outage: publishing goes on.

The refusals are real: memory limit, replica, failed save, missing replicas, missing permission, another node's slot.
"""

import asyncio
import contextlib
import json
import secrets

import pytest

from ...app import create_parts
from ...cluster.counts import ClusterCounts
from ...cluster.redis_link import RedisLink
from ...errors import Busy
from ...observability import Metrics
from ...rooms import Address, user_room
from ...settings import Settings, SettingsError
from ..package import SERVER
from ..ports import lasting_port
from ..redis import Forwarder, RealRedis
from ..server_processes import environment_of
from ..server_processes import start as start_python
from ..stand_in import NOTE_RECEIVED, NOTE_SEND, NOTES_PER_SECOND
from ..waiting import PROCESS_SECONDS, WAIT_SECONDS, until
from .readiness import counted, ready, until_ready

ANA = Address("/", (user_room("ana"),))
NOTES = 40
# while Redis refuses commands: nothing but heartbeats and the notes of this test reach it
WATCH_SECONDS = 2.0
# two servers, two heartbeats a second each at most
HEARTBEATS = round(2 * 2 * WATCH_SECONDS) + 4


@pytest.fixture(scope="module")
def redis():
    """A Redis server for this file only. Its tests make it refuse commands."""
    with RealRedis() as server:
        yield server


def configure(**changes):
    """Return a step that changes the configuration of Redis."""
    return [("CONFIG", "SET", name.replace("_", "-"), value) for name, value in changes.items()]


# a code of an error reply, what `/readyz` says, how Redis comes to answer so, and how it stops
REFUSALS = {
    "OOM": ("writes", configure(maxmemory="1"), configure(maxmemory="0")),
    "NOREPLICAS": ("writes", configure(min_replicas_to_write="1"), configure(min_replicas_to_write="0")),
    "READONLY": ("writes", [("REPLICAOF", "127.0.0.1", "1")], [("REPLICAOF", "NO", "ONE")]),
    "NOPERM": ("commands", [("ACL", "SETUSER", "default", "-set")], [("ACL", "SETUSER", "default", "+@all")]),
}


def cluster_node(bus=None):
    """Return the arguments of a node of a Redis Cluster."""
    # its own port for the bus: the default, 10,000 above the other, may be in use
    return ["--cluster-enabled", "yes", "--cluster-port", bus or str(lasting_port())]


def is_refusing(answer, what, code):
    # a script that may not call a command adds `ERR`
    return answer in [(200, f"degraded: redis refuses {what} ({codes})") for codes in (code, f"ERR, {code}")]


async def until_refusing(server, what, code):
    async with asyncio.timeout(WAIT_SECONDS):
        while not is_refusing(await ready(server), what, code):  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.02)


async def send_notes(ana, bob, count=NOTES):
    """Send notes from ana to bob. Return how many arrived."""
    for number in range(count):
        assert (await ana.ask(NOTE_SEND, {"to": "bob", "text": str(number), "id": secrets.token_hex(8)}))["ok"]
    texts = []
    with contextlib.suppress(TimeoutError):
        while len(texts) < count:
            texts.append((await bob.receives(NOTE_RECEIVED))["text"])
    return len(texts)


def log_lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("code", REFUSALS)
@pytest.mark.no_pace("Redis is configured from the loop of the test")
async def test_row_53_publishing_goes_on_while_redis_refuses(two, connect, redis, capsys, code):
    what, begin, end = REFUSALS[code]
    servers = await two(**{NOTES_PER_SECOND: 100})
    ana, bob = await connect("ana", to=servers[0]), await connect("bob", to=servers[1])
    capsys.readouterr()
    try:
        for command in begin:
            redis.call(*command)
        for server in servers:
            await until_refusing(server, what, code)
        assert await send_notes(ana, bob) == NOTES
        published = redis.calls("publish")
        await asyncio.sleep(WATCH_SECONDS)
        assert redis.calls("publish") - published <= HEARTBEATS, "a busy loop"
        # it does not change from moment to moment
        assert is_refusing(await ready(servers[0]), what, code)
        refused = [line["code"] for line in log_lines(capsys) if line["event"] == "redis refuses commands"]
        assert refused.count(code) == len(servers)
        assert counted(servers[0], "server_redis_refused_total", code=code) > 1
        assert counted(servers[0], "server_redis_lost_total", reason="away") == 0
    finally:
        for command in end:
            redis.call(*command)
    for server in servers:
        await until_ready(server, 200, "ready")
    again = [line["event"] for line in log_lines(capsys) if "redis" in line["event"]]
    assert again.count("redis accepts commands again") == len(refused)


async def test_limits_and_ids_of_one_process_hold_while_redis_refuses(two, connect, redis):
    first, _ = await two(**{NOTES_PER_SECOND: 0.1}, burst_seconds=50)
    ana = await connect("ana", to=first)
    redis.call("CONFIG", "SET", "maxmemory", "1")
    try:
        await until_ready(first, 200, "degraded: redis refuses writes (OOM)")
        note = {"to": "bob", "text": "x"}
        once = [await ana.ask(NOTE_SEND, note | {"id": "1"}) for _ in range(2)]
        assert once[0] == once[1]
        acks = [await ana.ask(NOTE_SEND, note) for _ in range(4)]
    finally:
        redis.call("CONFIG", "SET", "maxmemory", "0")
    assert [ack["ok"] for ack in acks] == [True] * 3 + [False]
    await until_ready(first, 200, "ready")


async def test_counts_are_sent_again_after_a_refusal(two, connect, redis):
    first, second = await two(sockets_per_address=10)
    redis.call("CONFIG", "SET", "maxmemory", "1")
    try:
        await until_ready(first, 200, "degraded: redis refuses writes (OOM)")
        await connect("ana", to=first)
    finally:
        redis.call("CONFIG", "SET", "maxmemory", "0")
    await until_ready(first, 200, "ready")
    counts = second.application.guards.cluster.counts
    # they travel with the first batch that Redis accepts, which ends the refusal
    assert sum((await counts.of_others("address", "127.0.0.1")).values()) == 1


@pytest.mark.no_pace("Redis starts in the loop of the test")
async def test_row_53_a_server_finds_the_new_primary_after_a_failover(serve, connect):
    with RealRedis() as old, RealRedis() as new:
        new.call("REPLICAOF", "127.0.0.1", str(old.port))
        async with Forwarder(old) as name:
            # a busy machine is no outage
            patient = {"redis_url": name.url, "redis_prefix": "failover", NOTES_PER_SECOND: 100, "redis_seconds": 5}
            servers = [await serve(**patient) for _ in range(2)]
            ana, bob = await connect("ana", to=servers[0]), await connect("bob", to=servers[1])
            assert await send_notes(ana, bob, 1) == 1
            new.call("REPLICAOF", "NO", "ONE")
            old.call("REPLICAOF", "127.0.0.1", str(new.port))
            # the name still leads to the old primary, whose connections stay open
            await until_ready(servers[0], 200, "degraded: redis refuses writes (READONLY)")
            assert await send_notes(ana, bob) == NOTES
            name.target = new
            for server in servers:
                await until_ready(server, 200, "ready")
            channel = servers[0].application.guards.cluster.link.channel
            await until(lambda: new.call("PUBSUB", "NUMSUB", channel)[1] == len(servers))
            old.stop()
            assert await send_notes(ana, bob) == NOTES
            assert await ready(servers[0]) == (200, "ready")
            for server in servers:
                await server.ended()
            old.start()


async def test_no_query_goes_to_the_old_primary_afterwards():
    with RealRedis() as old, RealRedis() as new:
        async with Forwarder(old) as name:
            link = RedisLink(Settings(redis_url=name.url, redis_seconds=5), Metrics())
            ClusterCounts(link)
            await link.start()
            # at the same time, so that each has a connection of its own
            await asyncio.gather(*(link.query(lambda redis: redis.blpop("x", timeout=0.1)) for _ in range(5)))
            old.call("REPLICAOF", "127.0.0.1", str(new.port))
            await until(lambda: link.detail)
            name.target = new
            await until(lambda: not link.detail)
            await asyncio.gather(*(link.query(lambda redis: redis.get("x")) for _ in range(5)))
            assert (old.calls("get"), new.calls("get")) == (0, 5)
            await link.stop()


@pytest.mark.needs("reports")
async def test_the_queue_of_reports_follows_a_failover():
    with RealRedis() as old, RealRedis() as new:
        async with Forwarder(old) as name:
            reports = create_parts(Settings(redis_url=name.url, redis_seconds=5)).reports
            await reports.request("outside", 1, ANA)
            old.call("REPLICAOF", "127.0.0.1", str(new.port))
            name.target = new
            with pytest.raises(Busy):
                await reports.request("outside", 1, ANA)
            # the refusal has closed the connection
            assert await reports.request("outside", 1, ANA)
            assert new.calls("zadd") == 1
            await reports.stop()


@pytest.mark.no_pace("Redis is configured from the loop of the test")
async def test_row_53_a_refused_subscription_is_deaf_with_one_log_line(serve, redis, capsys):
    settings = {"redis_url": redis.url, "redis_prefix": "silent", "redis_deaf_seconds": 1.5}
    redis.call("ACL", "SETUSER", "default", "-subscribe")
    try:
        server = await serve(**settings)
        await until_ready(server, 503, "deaf: redis refuses commands (NOPERM)")
        await asyncio.sleep(WATCH_SECONDS)
        assert [line["event"] for line in log_lines(capsys)].count("redis subscription lost") == 1
    finally:
        redis.call("ACL", "SETUSER", "default", "+@all")
    await until_ready(server, 200, "ready")
    assert [line["event"] for line in log_lines(capsys)].count("redis subscription works") == 1


@pytest.mark.no_pace("Redis is configured from the loop of the test")
async def test_row_53_refused_publishing_is_told_and_tried_with_pauses(serve, redis, capsys, connect):
    server = await serve(redis_url=redis.url, redis_prefix="mute")
    await until_ready(server, 200, "ready")
    capsys.readouterr()
    redis.call("ACL", "SETUSER", "default", "-publish")
    try:
        await until_ready(server, 200, "degraded: redis refuses to publish (NOPERM)")
        before = counted(server, "server_redis_refused_total", code="NOPERM")
        await asyncio.sleep(WATCH_SECONDS)
        # one attempt each 0.2 s
        assert counted(server, "server_redis_refused_total", code="NOPERM") - before <= WATCH_SECONDS / 0.2 + 2
        assert [line["event"] for line in log_lines(capsys)].count("redis is unavailable") == 1
        assert (await connect("ana", to=server)).sio.connected
    finally:
        redis.call("ACL", "SETUSER", "default", "+@all")
    await until_ready(server, 200, "ready")


@pytest.mark.no_pace("Redis starts in the loop of the test")
async def test_row_53_a_cluster_found_later_still_publishes(serve, connect, until):
    bus = str(lasting_port())
    with RealRedis(*cluster_node()) as redis, RealRedis(*cluster_node(bus)) as other:
        redis.call("CLUSTER", "ADDSLOTSRANGE", "0", "1")
        other.call("CLUSTER", "ADDSLOTSRANGE", "2", "16383")
        redis.call("CLUSTER", "MEET", "127.0.0.1", str(other.port), bus)
        await until(lambda: b"cluster_state:ok" in redis.call("CLUSTER", "INFO"))
        async with Forwarder() as name:
            patient = {"redis_url": name.url, "redis_prefix": "moved", NOTES_PER_SECOND: 100, "redis_seconds": 5}
            servers = [await serve(**patient) for _ in range(2)]
            name.target = redis
            for server in servers:
                await until_ready(server, 200, "degraded: redis refuses commands (MOVED)")
            ana, bob = await connect("ana", to=servers[0]), await connect("bob", to=servers[1])
            assert await send_notes(ana, bob) == NOTES
            for server in servers:
                await server.ended()


UNSUPPORTED = {
    "a Redis Cluster": lambda: RealRedis(*cluster_node()),
    "a Sentinel": lambda: RealRedis(is_sentinel=True),
}


@pytest.mark.parametrize("kind", UNSUPPORTED)
async def test_a_cluster_or_sentinel_stops_the_start(serve, kind):
    message = f"SERVER_REDIS_URL: this server is {kind}, which is not supported"
    with UNSUPPORTED[kind]() as redis, pytest.raises(SettingsError, match=message):
        await serve(redis_url=redis.url)


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_cluster_stops_the_command_with_one_line(workers):
    with RealRedis(*cluster_node()) as redis:
        environment = environment_of({"redis_url": redis.url, "port": 0, "internal_port": 0})
        process = await start_python(*SERVER, "--workers", str(workers), **environment)
        _, errors = await asyncio.wait_for(process.communicate(), PROCESS_SECONDS)
    assert process.returncode == 2
    assert [line for line in errors.decode().splitlines() if "Redis Cluster" in line] == errors.decode().splitlines()
    assert len(errors.splitlines()) == 1
