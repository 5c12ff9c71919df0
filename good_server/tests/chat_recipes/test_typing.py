"""Tests of typing indicators."""

from ...recipes.events import TYPING_CHANGED, TYPING_SET
from ...recipes.typing_indicators import BURST, EXPIRES_SECONDS, PER_SECOND, Throttle
from .conftest import ROOM


async def test_the_other_members_see_it_and_the_own_socket_not(member, server):
    ana, ben = await member("ana"), await member("ben")
    assert (await ana.ask(TYPING_SET, {"room": ROOM, "active": True}))["data"] == {"sent": True}
    shown = {"user": "ana", "room": ROOM, "active": True, "expires_in": EXPIRES_SECONDS}
    assert await ben.receives(TYPING_CHANGED) == shown
    assert await server.fence(ana) == [[]]


async def test_a_stranger_sees_and_sends_nothing(member, connect, server):
    ana, eve = await member("ana"), await connect("eve")
    assert await eve.code(TYPING_SET, {"room": ROOM, "active": True}) == "forbidden"
    await ana.ask(TYPING_SET, {"room": ROOM, "active": True})
    assert await server.fence(ana, eve) == [[], []]


async def test_too_many_are_dropped_and_not_refused(member, server):
    ana, ben = await member("ana"), await member("ben")
    acks = [await ana.ask(TYPING_SET, {"room": ROOM, "active": number % 2 == 0}) for number in range(BURST + 4)]
    sent = sum(ack["data"]["sent"] for ack in acks)
    (received,) = await server.fence(ben)
    assert BURST <= sent < len(acks)
    assert len(received) == sent


def test_the_limit_is_per_user_and_conversation():
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    assert [throttle.may_send("ana", ROOM) for _ in range(BURST + 1)] == [True] * BURST + [False]
    assert throttle.may_send("ben", ROOM)
    assert throttle.may_send("ana", "ana,ben")
    now[0] += 1 / PER_SECOND
    assert throttle.may_send("ana", ROOM)


def test_users_who_do_not_type_need_no_memory(monkeypatch):
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    for number in range(1001):
        throttle.may_send(f"user-{number}", ROOM)
    now[0] += BURST / PER_SECOND
    throttle.may_send("ana", ROOM)
    assert len(throttle._buckets) == 1
