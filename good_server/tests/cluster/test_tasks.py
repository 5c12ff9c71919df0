"""Tests that the long-lived tasks of the cluster survive their own errors."""

import asyncio
import json

import pytest
from redis.asyncio.client import PubSub

from ...background import RESTART_SECONDS
from ...cluster.client_manager import LISTENER
from ...cluster.counts import LEASE_SECONDS, ClusterCounts
from ...cluster.redis_link import SENDER, RedisLink
from ...cluster_protocol import EVICT
from ...observability import Metrics
from ...settings import Settings
from ..stand_in import NOTE_RECEIVED, NOTE_SEND
from .readiness import counted, ready, until_ready


class Fault:
    """Makes a method raise an unexpected error, `times` times."""

    def __init__(self, monkeypatch, owner, name, times=1):
        self.left, method = times, getattr(owner, name)

        def call(*arguments, **options):
            if self.left > 0:
                self.left -= 1
                raise LookupError("a fault of this test")
            return method(*arguments, **options)

        monkeypatch.setattr(owner, name, call)


async def is_delivered(sender, receiver, text, to="bob"):
    assert (await sender.ask(NOTE_SEND, {"to": to, "text": text}))["ok"]
    return (await receiver.receives(NOTE_RECEIVED))["text"] == text


def sender(link, manager):
    return link._connections, "run"


def heartbeat(link, manager):
    return link, "_prepare_heartbeat"


def listener(link, manager):
    return PubSub, "get_message"


def decoding(link, manager):
    return link._subscriber, "_decode"


TASKS = {sender: SENDER, heartbeat: SENDER, listener: LISTENER, decoding: LISTENER}


@pytest.mark.parametrize("place", TASKS)
async def test_row_57_a_task_of_the_cluster_starts_again(two, connect, monkeypatch, place):
    first, second = await two()
    ana, bob = await connect("ana", to=first), await connect("bob", to=second)
    for server in (first, second):
        await until_ready(server, 200, "ready")
    failures = [counted(server, "server_task_failures_total", task=TASKS[place]) for server in (first, second)]
    Fault(monkeypatch, *place(first.application.guards.cluster.link, first.sio.manager))
    # all subscriptions of this process share the method of redis-py, so either server may fail
    answer = (503, f"failing: {TASKS[place]}")
    waiting = [asyncio.create_task(until_ready(server, *answer)) for server in (first, second)]
    done, left = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert [task.exception() for task in done] == [None] * len(done)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    for server in (first, second):
        await until_ready(server, 200, "ready")
    assert await is_delivered(ana, bob, "forth")
    assert await is_delivered(bob, ana, "back", to="ana")
    after = [counted(server, "server_task_failures_total", task=TASKS[place]) for server in (first, second)]
    assert sum(after) == sum(failures) + 1


async def test_row_57_what_was_waiting_is_sent_after_an_error(two, connect, monkeypatch):
    first, second = await two()
    ana, bob = await connect("ana", to=first), await connect("bob", to=second)
    link = first.application.guards.cluster.link
    Fault(monkeypatch, link, "_prepare_heartbeat")
    # queued now: the error comes before they are sent
    texts = [str(number) for number in range(5)]
    for text in texts:
        assert (await ana.ask(NOTE_SEND, {"to": "bob", "text": text}))["ok"]
    assert [(await bob.receives(NOTE_RECEIVED))["text"] for _ in texts] == texts
    assert counted(first, "server_redis_lost_total", reason="failed") == 0


async def test_row_57_a_batch_that_fails_is_counted_as_lost(two, connect, monkeypatch):
    first, second = await two()
    ana, bob = await connect("ana", to=first), await connect("bob", to=second)
    link = first.application.guards.cluster.link
    async with link._send_lock:
        assert (await ana.ask(NOTE_SEND, {"to": "bob", "text": "lost"}))["ok"]
        Fault(monkeypatch, link._connections, "run")
    await until_ready(first, 503, f"failing: {SENDER}")
    assert counted(first, "server_redis_lost_total", reason="failed") == 1
    assert await is_delivered(ana, bob, "next")


@pytest.mark.parametrize("method", ["emit", EVICT])
async def test_row_57_one_message_does_not_end_the_subscription(two, connect, monkeypatch, capsys, method):
    first, second = await two()
    ana, bob = await connect("ana", to=first), await connect("bob", to=second)
    far, link = second.sio.manager, second.application.guards.cluster.link
    fault = Fault(monkeypatch, far, {"emit": "_handle_emit", EVICT: "_evict"}[method], times=3)
    before = link._subscriber._received._value.get()
    emits = {"method": "emit", "event": "x", "data": ["x"], "namespace": "/", "room": ["nobody"]}
    message = emits if method == "emit" else {"method": EVICT, "process": link.name, "namespace": "/", "user": "bob"}
    capsys.readouterr()
    for _ in range(3):
        first.application.guards.cluster.publish(message)
    assert await is_delivered(ana, bob, "next")
    assert fault.left == 0
    assert link._subscriber._received._value.get() >= before + 4
    logged = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert logged.count("a message of another process failed") == 1
    assert counted(second, "server_redis_ignored_total") == 3
    assert await ready(second) == (200, "ready")


async def test_row_57_a_listener_that_fails_again_and_again_pauses(two, connect, monkeypatch, capsys):
    first, _ = await two()
    watched_seconds = 2.0
    with monkeypatch.context() as patch:
        Fault(patch, PubSub, "get_message", times=10**9)
        await until_ready(first, 503, f"failing: {LISTENER}")
        capsys.readouterr()
        await asyncio.sleep(watched_seconds)
        errors = capsys.readouterr().out.count("a long-lived task ended")
    # of two servers
    assert 2 <= errors <= 2 * (watched_seconds / RESTART_SECONDS + 1)
    await until_ready(first, 200, "ready")
    ana = await connect("ana", to=first)
    assert await is_delivered(ana, await connect("bob", to=first), "here")


async def test_the_lease_is_renewed_without_the_sweep(redis, until):
    link = RedisLink(Settings(redis_url=redis.url, redis_prefix="lease", redis_seconds=5), Metrics())
    ClusterCounts(link)
    await link.start()
    key = link.key("process", link.name)
    await until(lambda: redis.call("TTL", key) > 0)
    redis.call("DEL", key)
    await until(lambda: 0 < redis.call("TTL", key) <= LEASE_SECONDS)
    await link.stop()
