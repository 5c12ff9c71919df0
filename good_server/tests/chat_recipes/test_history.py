"""Tests that a conversation is stored once, in order and without gaps."""

import asyncio
import sqlite3

import pytest

from ...events import ROOM_LEAVE
from ...recipes import database
from ...recipes.events import HISTORY_AFTER, HISTORY_MESSAGE, HISTORY_SEND
from .conftest import ROOM


def note(number, **target):
    return {"text": f"text {number}", "id": f"id-{number}"} | (target or {"room": ROOM})


async def stored(tab, count, **target):
    """Send messages one after the other, and return their acks."""
    return [(await tab.ask(HISTORY_SEND, note(number, **target)))["data"] for number in range(count)]


async def page(tab, after=0, **more):
    target = {} if "to" in more else {"room": ROOM}
    return (await tab.ask(HISTORY_AFTER, {"after": after} | target | more))["data"]


async def test_numbers_start_at_one_and_have_no_gap(member):
    ana = await member("ana")
    assert [ack["seq"] for ack in await stored(ana, 3)] == [1, 2, 3]


async def test_members_receive_it_live_with_its_number(member, server):
    ana, ben = await member("ana"), await member("ben")
    (ack,) = await stored(ana, 1)
    message = await ben.receives(HISTORY_MESSAGE)
    expected = {"seq": 1, "text": "text 0", "room": ROOM, "at": ack["at"]}
    assert {key: message[key] for key in expected} == expected
    assert message["from"]["id"] == "ana"
    assert [data["seq"] for _, data in (await server.fence(ana))[0]] == [1]


async def test_a_page_has_what_was_sent_live(member):
    ana, ben = await member("ana"), await member("ben")
    await stored(ana, 2)
    live = [await ben.receives(HISTORY_MESSAGE) for _ in range(2)]
    assert await page(ben) == {"messages": live, "more": False}
    assert await page(ben, after=1) == {"messages": live[1:], "more": False}


async def test_a_long_conversation_comes_in_pages(member):
    ana = await member("ana")
    await stored(ana, 5)
    first = await page(ana, limit=3)
    assert ([message["seq"] for message in first["messages"]], first["more"]) == ([1, 2, 3], True)
    second = await page(ana, after=3, limit=3)
    assert ([message["seq"] for message in second["messages"]], second["more"]) == ([4, 5], False)


async def test_a_page_of_long_texts_is_bounded(member):
    ana = await member("ana")
    for number in range(12):
        # six bytes a character in JSON
        await ana.ask(HISTORY_SEND, {"room": ROOM, "id": str(number), "text": "\x01" * 4000})
    first = await page(ana)
    assert first["more"]
    assert 1 <= len(first["messages"]) < 12


async def test_a_repeated_message_is_stored_once(member, server):
    ana, ben = await member("ana"), await member("ben")
    first = await ana.ask(HISTORY_SEND, note(1))
    again = await ana.ask(HISTORY_SEND, note(1) | {"text": "another text"})
    assert first == again
    assert len((await page(ben))["messages"]) == 1
    (received,) = await server.fence(ben)
    # at least once: the reader drops the known number
    assert {(data["seq"], data["text"]) for _, data in received} == {(1, "text 1")}


async def test_the_same_id_of_another_user_is_another_message(member):
    ana, ben = await member("ana"), await member("ben")
    acks = [await tab.ask(HISTORY_SEND, note(1)) for tab in (ana, ben)]
    assert [ack["data"]["seq"] for ack in acks] == [1, 2]


async def test_the_same_id_in_another_conversation_is_another(member):
    ana = await member("ana")
    await stored(ana, 1)
    assert [ack["seq"] for ack in await stored(ana, 1, to="ben")] == [1]


async def test_a_restart_loses_nothing_and_knows_the_ids(serve, connect):
    first = await serve()
    ana = await connect("ana", to=first, rooms=[ROOM])
    (ack,) = await stored(ana, 1)
    await first.ended()
    ana = await connect("ana", to=await serve(), rooms=[ROOM])
    assert (await ana.ask(HISTORY_SEND, note(0)))["data"] == ack
    assert (await ana.ask(HISTORY_SEND, note(1)))["data"]["seq"] == 2


async def test_two_users_have_one_conversation(connect):
    ana, ben = await connect("ana"), await connect("ben")
    await ana.ask(HISTORY_SEND, note(1, to="ben"))
    await ben.ask(HISTORY_SEND, note(2, to="ana"))
    for reader, other in ((ana, "ben"), (ben, "ana")):
        messages = (await page(reader, to=other))["messages"]
        assert [(each["from"]["id"], each["to"]) for each in messages] == [("ana", "ben"), ("ben", "ana")]


async def test_writers_at_once_get_numbers_in_order(member):
    tabs = [await member(name) for name in ("ana", "ben", "cem")]
    asked = [tab.ask(HISTORY_SEND, note(number)) for tab in tabs for number in range(8)]
    acks = await asyncio.gather(*asked)
    assert sorted(ack["data"]["seq"] for ack in acks) == list(range(1, 25))
    assert [each["seq"] for each in (await page(tabs[0]))["messages"]] == list(range(1, 25))


async def test_a_stranger_reads_and_writes_nothing(member, connect, server):
    ana, eve = await member("ana"), await connect("eve")
    await stored(ana, 1)
    assert await eve.code(HISTORY_AFTER, {"room": ROOM, "after": 0}) == "forbidden"
    assert await eve.code(HISTORY_SEND, note(9)) == "forbidden"
    assert await server.fence(eve) == [[]]


async def test_a_stranger_reads_no_conversation_of_two(connect, server):
    ana, eve = await connect("ana"), await connect("eve")
    await ana.ask(HISTORY_SEND, note(1, to="ben"))
    for name in ("ana", "ben"):
        assert (await page(eve, to=name))["messages"] == []
    assert await server.fence(eve) == [[]]


async def test_a_name_with_the_separator_is_no_user(connect):
    eve = await connect("eve")
    assert await eve.code(HISTORY_AFTER, {"to": "ana,ben", "after": 0}) == "invalid"


async def test_who_left_the_room_reads_no_more(member):
    ana = await member("ana")
    await stored(ana, 1)
    await ana.ask(ROOM_LEAVE, {"room": ROOM})
    assert await ana.code(HISTORY_AFTER, {"room": ROOM, "after": 0}) == "forbidden"


WRONG = [
    (HISTORY_SEND, {"room": ROOM, "text": "no id"}),
    (HISTORY_SEND, {"room": ROOM, "text": "", "id": "1"}),
    (HISTORY_SEND, {"room": ROOM, "to": "ben", "text": "x", "id": "1"}),
    (HISTORY_SEND, {"text": "x", "id": "1"}),
    (HISTORY_SEND, {"room": ROOM, "text": "x", "id": "1", "seq": 7}),
    (HISTORY_AFTER, {"room": ROOM, "after": -1}),
    (HISTORY_AFTER, {"room": ROOM, "after": 2**60}),
    (HISTORY_AFTER, {"room": ROOM, "after": 0, "limit": 101}),
    (HISTORY_AFTER, {"room": ROOM, "after": "0"}),
    (HISTORY_AFTER, {"room": "nonsense", "after": 0}),
]


@pytest.mark.parametrize(("event", "payload"), WRONG)
async def test_a_wrong_payload_is_invalid(member, event, payload):
    assert await (await member("ana")).code(event, payload) == "invalid"


async def test_sending_has_the_rate_of_chat(serve, connect):
    server = await serve(chat_per_second=0.001, burst_seconds=1)
    ana = await connect("ana", to=server, rooms=[ROOM])
    assert (await ana.ask(HISTORY_SEND, note(1)))["ok"]
    assert await ana.code(HISTORY_SEND, note(2)) == "rate_limited"


async def test_a_database_that_is_away_is_busy(member, server):
    ana = await member("ana")
    service = server.application.services[0]
    await service.stop()
    assert await ana.code(HISTORY_SEND, note(1)) == "busy"
    await service.start()
    assert (await ana.ask(HISTORY_SEND, note(1)))["data"]["seq"] == 1


async def test_a_locked_database_leaves_no_gap(serve, connect, monkeypatch, tmp_path):
    monkeypatch.setattr(database, "LOCK_SECONDS", 0.05)
    ana = await connect("ana", to=await serve(), rooms=[ROOM])
    await stored(ana, 1)
    other = sqlite3.connect(tmp_path / "chat.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert await ana.code(HISTORY_SEND, note(1)) == "busy"
    other.execute("ROLLBACK")
    other.close()
    assert (await ana.ask(HISTORY_SEND, note(1)))["data"]["seq"] == 2
