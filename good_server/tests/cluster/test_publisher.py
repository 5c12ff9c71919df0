"""Tests that a back end reaches users of two processes through Redis."""

import asyncio
import json
import math
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import pytest_asyncio
import socketio

from ... import publish
from ...events import Message
from ...orders import MOST_BYTES
from ...publish import Publisher, PublishError, SyncPublisher
from ...rooms import role_room, user_room
from ...settings import Settings
from ..package import PACKAGE
from ..ports import lasting_port
from ..redis import RealRedis
from ..stand_in import NOTICE_PUBLISHED, PRIVILEGED, NoticePublished, topic
from ..waiting import PROCESS_SECONDS
from .readiness import counted

ANA = user_room("ana")
NOTICE = NoticePublished(text="hello")
GOT = (NOTICE_PUBLISHED, {"text": "hello"})
# far more than a call may take, and far less than a client without a timeout would wait
BOUND_SECONDS = 8.0
PASSWORD = "pa:ss-w0rd"


@pytest.fixture
def options(shared):
    return {"redis_url": shared["redis_url"], "prefix": shared["redis_prefix"]}


@pytest_asyncio.fixture(loop_scope="session")
async def publisher(options):
    async with Publisher(**options) as opened:
        yield opened


async def calls(publisher_class, options, name, *arguments, **named):
    """Call one method of a publisher of either kind."""
    if publisher_class is Publisher:
        async with Publisher(**options) as opened:
            return await getattr(opened, name)(*arguments, **named)

    def call():
        with SyncPublisher(**options) as opened:
            return getattr(opened, name)(*arguments, **named)

    return await asyncio.to_thread(call)


BOTH = pytest.mark.parametrize("publisher_class", [Publisher, SyncPublisher])


@BOTH
async def test_a_message_reaches_both_tabs_of_a_user_once(two, connect, options, publisher_class):
    servers = await two()
    anas = [await connect("ana", to=server) for server in servers]
    eve = await connect("eve", to=servers[1])
    assert await calls(publisher_class, options, "publish", NOTICE, to=[ANA, role_room(PRIVILEGED), ANA]) == 2
    for tab in anas:
        assert await asyncio.wait_for(tab.inbox.get(), 10) == GOT
    assert await servers[1].fence(anas[1], eve) == [[], []]
    assert [counted(server, "server_redis_ignored_total") for server in servers] == [0, 0]


@BOTH
async def test_a_user_is_moved_on_both_processes(two, connect, until, options, publisher_class):
    servers = await two()
    for server in servers:
        await connect("ana", to=server, rooms=[topic("1")])
    await calls(publisher_class, options, "move", "ana", join=[topic("2")], leave=[topic("1")])
    for server in servers:
        await until(lambda server=server: server.members(topic("2")) == 1)
        assert server.members(topic("1")) == 0


async def test_a_message_class_of_a_product_needs_no_registration(two, connect, publisher):
    server, _ = await two()
    ana = await connect("ana", to=server)
    value = {"list": [1, 0.5, "ü", None], "deep": {"a": {}}}
    await publisher.publish(Anything(value=value), to=[ANA])
    assert await ana.receives(Anything.event) == {"value": value}


async def test_an_emit_has_the_form_of_socketios_own_manager(options, monkeypatch):
    sent = []
    manager = socketio.RedisManager(options["redis_url"], channel="x", write_only=True)
    monkeypatch.setattr(manager, "_publish", sent.append)
    monkeypatch.setattr(manager, "_handle_emit", lambda message: None)
    manager.emit(NOTICE_PUBLISHED, {"text": "hello"}, room=[ANA])
    with SyncPublisher(**options) as publisher:
        ((_, channel, text),) = publisher._emit(NOTICE, [ANA])
    assert channel == f"{options['prefix']}:rooms"
    assert json.loads(text) | {"host_id": None} == sent[0] | {"host_id": None}


class Nameless(Message):
    text: str = "x"


class Reserved(Message):
    event = "disconnect"


class Anything(Message):
    event = "test:anything"

    value: object = None


NO_MESSAGES = [
    None,
    "hello",
    {"text": "hello"},
    NoticePublished,
    Nameless(),
    Reserved(),
    NoticePublished.model_construct(),
    NoticePublished.model_construct(text=1),
    NoticePublished(text="\ud800"),
    NoticePublished(text="x" * MOST_BYTES),
    *(Anything(value=value) for value in (math.nan, [math.inf], {"a": {"b": -math.inf}}, 2**70, {"a": "\ud800"})),
]
NO_TARGETS = [(), [], "", ANA, None, [""], [None], ["ana"], [ANA, "Xj3kf-92mlQ"], [role_room("driverz")], {ANA}, ["*"]]


@BOTH
async def test_a_wrong_message_or_target_is_a_value_error(options, publisher_class):
    for message in NO_MESSAGES:
        with pytest.raises(ValueError, match=r"\A[^\n]+\Z"):
            await calls(publisher_class, options, "publish", message, to=[ANA])
    for to in NO_TARGETS:
        with pytest.raises(ValueError, match=r"\Ato [^\n]+\Z"):
            await calls(publisher_class, options, "publish", NOTICE, to=to)


NO_MOVES = [
    ("ana", {}),
    ("ana", {"join": topic("1")}),
    ("ana", {"join": [ANA]}),
    ("ana", {"leave": [role_room(PRIVILEGED)]}),
    ("ana", {"join": [topic("1")], "leave": [topic("1")]}),
    ("ana", {"join": None}),
    ("ana", {"join": [1]}),
    ("", {"join": [topic("1")]}),
    ("a b", {"join": [topic("1")]}),
    (None, {"join": [topic("1")]}),
]


@BOTH
async def test_a_wrong_order_about_a_user_is_a_value_error(options, publisher_class):
    for user, rooms in NO_MOVES:
        with pytest.raises(ValueError, match=r"\A[^\n]+\Z"):
            await calls(publisher_class, options, "move", user, **rooms)
    for user, seconds in (("", None), ("a b", None), (None, None), ("ana", -1), ("ana", "1"), ("ana", math.inf)):
        with pytest.raises(ValueError, match=r"\A[^\n]+\Z"):
            await calls(publisher_class, options, "disconnect", user, deny_seconds=seconds)


NO_URLS = ["", "localhost", "http://localhost", "redis://u:secret/x@h:1", "redis://:secret@h:99999", None]


@BOTH
@pytest.mark.parametrize("url", NO_URLS)
def test_a_wrong_url_or_prefix_is_a_value_error(publisher_class, url):
    with pytest.raises(ValueError, match=r"\Aredis_url must be [^\n]+\Z"):
        publisher_class(url)
    with pytest.raises(ValueError, match="prefix"):
        publisher_class("redis://127.0.0.1", prefix="a b")


def test_the_default_prefix_is_that_of_the_servers():
    assert Settings.model_fields["redis_prefix"].default == publish.PREFIX
    (form,) = Settings.model_fields["redis_prefix"].metadata
    assert form.pattern == f"^{publish.PREFIX_FORM}$"


async def check_away(publisher_class, options, code=""):
    """Assert that each method raises `PublishError` in bounded time.

    Its message is one line without a password."""
    for name, arguments in (
        ("publish", ([NOTICE], {"to": [ANA]})),
        ("move", (["ana"], {"join": [topic("1")]})),
        ("disconnect", (["ana"], {})),
    ):
        began = time.monotonic()
        with pytest.raises(PublishError, match=rf"\A[^\n]*{code}[^\n]*\Z") as raised:
            await calls(publisher_class, options, name, *arguments[0], **arguments[1])
        assert time.monotonic() - began < BOUND_SECONDS
        assert PASSWORD not in str(raised.value)
        assert raised.value.__cause__ is None


@BOTH
async def test_no_redis_is_a_publish_error(publisher_class):
    await check_away(publisher_class, {"redis_url": f"redis://:{PASSWORD}@127.0.0.1:{lasting_port()}"})


@BOTH
async def test_a_silent_redis_is_a_publish_error_in_bounded_time(redis, options, publisher_class):
    redis.pause()
    try:
        await check_away(publisher_class, options)
    finally:
        redis.resume()


@BOTH
async def test_a_wrong_password_or_a_refusal_is_a_publish_error(publisher_class):
    with RealRedis(password=PASSWORD) as redis:
        await check_away(publisher_class, {"redis_url": redis.url.replace("w0rd", "other")})
        redis.call("ACL", "SETUSER", "weak", "on", ">weak", "resetchannels", "-@all", "+hello", "+client")
        url = f"redis://weak:weak@127.0.0.1:{redis.port}"
        await check_away(publisher_class, {"redis_url": url}, "NOPERM")


async def test_a_publisher_works_again_after_a_restart_of_redis():
    with RealRedis() as redis, SyncPublisher(redis.url) as publisher:
        async with Publisher(redis.url) as other:
            for _ in range(2):
                assert await other.publish(NOTICE, to=[ANA]) == publisher.publish(NOTICE, to=[ANA]) == 0
                redis.stop()
                with pytest.raises(PublishError):
                    await other.publish(NOTICE, to=[ANA])
                with pytest.raises(PublishError):
                    publisher.publish(NOTICE, to=[ANA])
                redis.start()


@pytest.mark.parametrize("form", ["unix", "tls"])
async def test_a_publisher_uses_a_socket_or_tls(authority, form):
    with RealRedis(**({"tls": authority} if form == "tls" else {})) as redis:
        url = redis.url if form == "tls" else f"unix://{redis.socket_path}?db=0"
        for publisher_class in (Publisher, SyncPublisher):
            assert await calls(publisher_class, {"redis_url": url}, "disconnect", "ana") == 0


async def test_threads_share_one_publisher(two, connect, options):
    servers = await two()
    ana = await connect("ana", to=servers[0])

    def send():
        with SyncPublisher(**options) as publisher, ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda _: publisher.publish(NOTICE, to=[ANA]), range(40)))

    assert await asyncio.to_thread(send) == [2] * 40
    assert [await asyncio.wait_for(ana.inbox.get(), 10) for _ in range(40)] == [GOT] * 40


FORK = """
import os, sys
from {package}.events import ServerClosing
from {package}.publish import SyncPublisher
publisher = SyncPublisher(sys.argv[1], prefix=sys.argv[2])
counts = [publisher.publish(ServerClosing(retry_in=1), to=["{room}"])]
child = os.fork()
counts += [publisher.publish(ServerClosing(retry_in=2), to=["{room}"]) for _ in range(3)]
if child == 0:
    os._exit(0 if counts == [1] * 4 else 1)
print(counts, os.waitpid(child, 0)[1])
"""
LIGHT = """
import sys
import {package}.publish
heavy = ("aiohttp", "socketio", "engineio", "redis", "structlog", "prometheus_client", "pydantic_settings", "jwt")
print([name for name in heavy if name in sys.modules])
"""


def run_python(program, *arguments):
    text = program.format(package=PACKAGE, room=ANA)
    command = [sys.executable, "-W", "error", "-c", text, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=PROCESS_SECONDS).stdout.strip()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
async def test_a_publisher_works_after_a_fork(serve, shared, until, options):
    server = await serve(**shared)
    await until(lambda: server.application.guards.cluster.link.has_own_heartbeat)
    done = await asyncio.to_thread(run_python, FORK, *options.values())
    assert done == "[1, 1, 1, 1] 0"


def test_a_publisher_is_light_to_import():
    assert run_python(LIGHT) == "[]"
