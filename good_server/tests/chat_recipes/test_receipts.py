"""Tests of read receipts and unread counts."""

from ...recipes.events import HISTORY_READ, HISTORY_SEEN, HISTORY_SEND, HISTORY_UNREAD
from .conftest import ROOM


async def send(tab, count, **target):
    for number in range(count):
        message = {"text": "x", "id": f"{sorted(target)}{number}"} | (target or {"room": ROOM})
        assert (await tab.ask(HISTORY_SEND, message))["ok"]


async def counts(tab):
    return (await tab.ask(HISTORY_UNREAD, {}))["data"]["conversations"]


async def read(tab, seq, **target):
    return (await tab.ask(HISTORY_READ, {"seq": seq} | (target or {"room": ROOM})))["data"]["seq"]


async def test_messages_of_others_are_unread(member):
    ana, ben = await member("ana"), await member("ben")
    await send(ana, 3)
    assert await counts(ben) == [{"room": ROOM, "unread": 3, "read": 0, "last": 3}]
    assert await counts(ana) == [{"room": ROOM, "unread": 0, "read": 0, "last": 3}]


async def test_reading_lowers_the_count(member):
    ana, ben = await member("ana"), await member("ben")
    await send(ana, 3)
    assert await read(ben, 2) == 2
    assert await counts(ben) == [{"room": ROOM, "unread": 1, "read": 2, "last": 3}]


async def test_conversations_of_two_are_counted_too(connect):
    ana, ben = await connect("ana"), await connect("ben")
    await send(ana, 2, to="ben")
    assert await counts(ben) == [{"to": "ana", "unread": 2, "read": 0, "last": 2}]
    assert await counts(await connect("eve")) == []


async def test_the_others_and_the_own_tabs_see_the_receipt(member):
    ana, ben, tab = await member("ana"), await member("ben"), await member("ben")
    await send(ana, 2)
    await read(ben, 2)
    for reader in (ana, tab):
        assert await reader.receives(HISTORY_SEEN) == {"user": "ben", "room": ROOM, "seq": 2}


async def test_reading_never_goes_back_or_past_the_end(member, server):
    ana, ben = await member("ana"), await member("ben")
    await send(ana, 2)
    assert [await read(ben, seq) for seq in (99, 1, 2)] == [2, 2, 2]
    (received,) = await server.fence(ana)
    assert len([event for event, _ in received if event == HISTORY_SEEN]) == 1


async def test_an_empty_conversation_is_read_up_to_zero(member, server):
    ana = await member("ana")
    assert await read(ana, 7) == 0
    assert await server.fence(ana) == [[]]


async def test_a_stranger_marks_nothing_as_read(member, connect):
    await send(await member("ana"), 1)
    eve = await connect("eve")
    assert await eve.code(HISTORY_READ, {"room": ROOM, "seq": 1}) == "forbidden"
    assert await counts(eve) == []
