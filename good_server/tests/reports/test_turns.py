"""Tests of the order of waiting reports, and of their caps."""

import asyncio

import pytest
import pytest_asyncio

from ...errors import Busy
from ...observability import Metrics
from ...reports.embedded import EmbeddedReports
from ...reports.queue import QueuedReports, RedisAvailability, WorkerQueue
from ...reports.turns import Turns, asker_of
from ...rooms import Address, user_room
from ...settings import Settings

# who asks, and whose report is made next
ORDERS = [("aaabbe", "abeaba"), ("a", "a"), ("aaaa", "aaaa"), ("abab", "abab"), ("aabbaabb", "abababab")]


def of(user):
    return Address("/", (user_room(user),))


class InMemory:
    """The queue of an embedded pool."""

    def __init__(self):
        self._turns = Turns()

    async def ask(self, user):
        self._turns.put(asker_of(of(user)), user)

    async def take(self):
        return self._turns.take()


class InRedis:
    """The queue that servers and workers share."""

    def __init__(self, reports, jobs):
        self._reports, self._jobs = reports, jobs

    async def ask(self, user):
        await self._reports.request("cpu", 1, of(user))

    async def take(self):
        job = await self._jobs.dequeue()
        return job and job.kwargs["rooms"][0][-1]


@pytest_asyncio.fixture(loop_scope="session")
async def in_redis(shared, looking):
    reports, client = QueuedReports(Settings(**shared)), looking("cpu").redis
    yield InRedis(reports, WorkerQueue(client, looking("cpu").name, RedisAvailability(client)))
    await reports.stop()


async def check_order(reports, asked, made):
    for user in asked:
        await reports.ask(user)
    assert [await reports.take() for _ in asked] == list(made)
    assert await reports.take() is None


async def check_newcomers(reports):
    """Ask once as one user after another, while user a waits. A user is never served last."""
    for user in "aaa":
        await reports.ask(user)
    order = await reports.take()
    for newcomer in "xyz":
        await reports.ask(newcomer)
        order += await reports.take()
    assert order[:3].count("a") >= 2


@pytest.mark.parametrize(("asked", "made"), ORDERS)
async def test_users_take_turns_in_memory(asked, made):
    await check_order(InMemory(), asked, made)


@pytest.mark.parametrize(("asked", "made"), ORDERS)
async def test_users_take_turns_in_redis(in_redis, asked, made):
    await check_order(in_redis, asked, made)


async def test_newcomers_do_not_delay_a_waiting_user():
    await check_newcomers(InMemory())


async def test_newcomers_do_not_delay_a_waiting_user_in_redis(in_redis):
    await check_newcomers(in_redis)


async def test_a_returned_job_is_the_next_one(in_redis, looking):
    for user in "aab":
        await in_redis.ask(user)
    jobs = in_redis._jobs
    await jobs.retry(await jobs.dequeue(), "its worker stops")
    assert [await in_redis.take() for _ in "aab"] == ["a", "b", "a"]


async def test_one_user_has_a_cap_of_waiting_reports():
    reports = EmbeddedReports(Settings(reports_per_user=2), Metrics())
    assert [await reports.request("cpu", 1, of("ana")) for _ in range(2)]
    with pytest.raises(Busy):
        await reports.request("cpu", 1, of("ana"))
    assert await reports.request("cpu", 1, of("ben"))


async def test_servers_share_the_cap_of_a_user(shared):
    servers = [QueuedReports(Settings(**shared, reports_per_user=3, redis_seconds=5)) for _ in range(2)]
    asked = [(server, kind) for server in servers for kind in ("cpu", "outside")] * 2
    answers = await asyncio.gather(
        *(server.request(kind, 1, of("ana")) for server, kind in asked), return_exceptions=True
    )
    assert [type(answer) for answer in answers].count(Busy) == len(asked) - 3
    assert await servers[0].request("cpu", 1, of("ben"))
    for server in servers:
        await server.stop()


async def test_servers_share_the_cap_of_all(shared):
    servers = [QueuedReports(Settings(**shared, reports_waiting=64, redis_seconds=5)) for _ in range(2)]
    asked = [(servers[number % 2], of(f"user-{number % 20}")) for number in range(70)]
    answers = await asyncio.gather(*(server.request("outside", 1, to) for server, to in asked), return_exceptions=True)
    assert [type(answer) for answer in answers].count(Busy) == 6
    for server in servers:
        await server.stop()
