"""Tests that a message sent twice with one id is handled once."""

import asyncio

import pytest

from ... import idempotency
from ...idempotency import IdempotencyCache


class Work:
    """A handler that counts its calls and returns the count."""

    def __init__(self):
        self.done, self.may_end = 0, asyncio.Event()
        self.may_end.set()

    async def __call__(self):
        await self.may_end.wait()
        self.done += 1
        return {"id": self.done}


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


async def test_the_same_user_and_id_get_the_first_ack():
    acks, work = IdempotencyCache(), Work()
    assert await acks.once("ana", "m-1", work) == await acks.once("ana", "m-1", work) == {"id": 1}


async def test_another_user_or_id_is_new():
    acks, work = IdempotencyCache(), Work()
    for user, id in (("ana", "m-1"), ("bob", "m-1"), ("ana", "m-2")):
        await acks.once(user, id, work)
    assert work.done == 3


async def test_every_message_without_an_id_is_new():
    acks, work = IdempotencyCache(), Work()
    assert await acks.once("ana", None, work) != await acks.once("ana", None, work)


async def test_two_duplicates_at_once_get_the_same_ack():
    acks, work = IdempotencyCache(), Work()
    work.may_end.clear()
    both = asyncio.gather(acks.once("ana", "m-1", work), acks.once("ana", "m-1", work))
    await asyncio.sleep(0)
    work.may_end.set()
    assert await both == [{"id": 1}, {"id": 1}]


async def test_a_failure_is_not_remembered():
    async def fail():
        raise ValueError

    acks, work = IdempotencyCache(), Work()
    with pytest.raises(ValueError):  # noqa: PT011 - it is raised three lines above
        await acks.once("ana", "m-1", fail)
    assert await acks.once("ana", "m-1", work) == {"id": 1}


async def test_a_duplicate_of_a_cancelled_request_times_out_too():
    acks, work = IdempotencyCache(), Work()
    work.may_end.clear()
    first = asyncio.create_task(acks.once("ana", "m-1", work))
    await asyncio.sleep(0)
    second = asyncio.create_task(acks.once("ana", "m-1", work))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(TimeoutError):
        await second
    assert not second.cancelled()


async def test_a_cancelled_duplicate_does_not_stop_the_first():
    acks, work = IdempotencyCache(), Work()
    work.may_end.clear()
    first = asyncio.create_task(acks.once("ana", "m-1", work))
    await asyncio.sleep(0)
    second = asyncio.create_task(acks.once("ana", "m-1", work))
    await asyncio.sleep(0)
    second.cancel()
    work.may_end.set()
    assert await first == {"id": 1}


async def test_an_ack_is_forgotten_after_two_minutes():
    clock = Clock()
    acks, work = IdempotencyCache(clock=clock), Work()
    await acks.once("ana", "m-1", work)
    clock.now = 119
    assert await acks.once("ana", "m-1", work) == {"id": 1}
    clock.now = 121
    assert await acks.once("ana", "m-1", work) == {"id": 2}


async def test_no_more_acks_are_kept_than_the_bound(monkeypatch):
    monkeypatch.setattr(idempotency, "REMEMBER_AT_MOST", 10)
    acks, work = IdempotencyCache(), Work()
    for number in range(100):
        await acks.once("ana", f"m-{number}", work)
    assert len(acks._answers) <= 10
    assert await acks.once("ana", "m-99", work) == {"id": 100}
