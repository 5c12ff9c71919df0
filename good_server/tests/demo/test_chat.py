"""`chat:send` and `chat:message`, as CONTRACT.md has them."""

import asyncio

import pytest


async def test_a_message_reaches_every_tab_of_its_reader(connect):
    ana, first, second = await connect("ana"), await connect("bob"), await connect("bob")
    await ana.ask("chat:send", {"to": "bob", "text": "hello"})
    assert (await first.hears("chat:message"))["text"] == "hello"
    assert (await second.hears("chat:message"))["text"] == "hello"


async def test_a_message_to_a_user_carries_what_the_server_knows_of_it(serve, connect, clock):
    server = await serve(clock=clock)
    ana, bob = await connect("ana", "admin", to=server), await connect("bob", to=server)
    ack = await ana.ask("chat:send", {"to": "bob", "text": "hello"})
    at = int(clock.now * 1000)
    message = await bob.hears("chat:message")
    assert ack == {"ok": True, "data": {"id": message["id"], "at": at}}
    sender = {"id": "ana", "role": "admin"}
    assert message == {"id": message["id"], "from": sender, "to": "bob", "text": "hello", "at": at}


async def test_a_message_to_a_room_names_the_room_and_no_user(connect):
    ana, bob = await connect("ana", rooms=["job:17"]), await connect("bob", rooms=["job:17"])
    await ana.ask("chat:send", {"room": "job:17", "text": "hello"})
    message = await bob.hears("chat:message")
    assert message.keys() == {"id", "from", "room", "text", "at"}
    assert message["room"] == "job:17"


async def test_nobody_else_hears_a_message(server, connect):
    ana, bob, eve = await connect("ana"), await connect("bob"), await connect("eve", "admin")
    await ana.ask("chat:send", {"to": "bob", "text": "hello"})
    heard = await server.fence(ana, bob, eve)
    assert [len(messages) for messages in heard] == [0, 1, 0]


async def test_only_members_hear_a_room(server, connect):
    ana, bob = await connect("ana", rooms=["job:17"]), await connect("bob", rooms=["job:17"])
    eve = await connect("eve", rooms=["job:18"])
    await ana.ask("chat:send", {"room": "job:17", "text": "hello"})
    heard = await server.fence(ana, bob, eve)
    assert [len(messages) for messages in heard] == [0, 1, 0]


async def test_a_message_reaches_the_senders_other_tabs_only(server, connect):
    sending, other, bob = await connect("ana"), await connect("ana"), await connect("bob")
    await sending.ask("chat:send", {"to": "bob", "text": "hello"})
    heard_sending, heard_other, heard_bob = await server.fence(sending, other, bob)
    assert heard_sending == []
    assert heard_other == heard_bob
    assert len(heard_bob) == 1


async def test_the_senders_other_tab_in_the_room_gets_it_once(server, connect):
    sending, other = await connect("ana", rooms=["job:17"]), await connect("ana", rooms=["job:17"])
    await sending.ask("chat:send", {"room": "job:17", "text": "hello"})
    heard = await server.fence(sending, other)
    assert [len(messages) for messages in heard] == [0, 1]


async def test_a_note_to_oneself_reaches_ones_other_tabs(server, connect):
    sending, other = await connect("ana"), await connect("ana")
    await sending.ask("chat:send", {"to": "ana", "text": "milk"})
    heard = await server.fence(sending, other)
    assert [len(messages) for messages in heard] == [0, 1]


async def test_every_role_chats_with_every_other(connect):
    roles = ("admin", "driver", "company", "provider", "vendor")
    tabs = [await connect(f"{role}-1", role, company="acme" if role == "company" else None) for role in roles]
    for sender, tab in zip(roles, tabs, strict=True):
        for reader, other in zip(roles, tabs, strict=True):
            assert (await tab.ask("chat:send", {"to": f"{reader}-1", "text": sender}))["ok"]
            if other is not tab:
                assert (await other.hears("chat:message"))["from"] == {"id": f"{sender}-1", "role": sender}


async def test_a_message_to_an_offline_user_is_acked_the_same(connect):
    ana = await connect("ana")
    assert (await ana.ask("chat:send", {"to": "nobody", "text": "hello"}))["ok"]


async def test_a_room_is_closed_to_those_who_are_not_in_it(server, connect):
    ana, bob = await connect("ana"), await connect("bob", rooms=["job:17"])
    assert await ana.code("chat:send", {"room": "job:17", "text": "hello"}) == "forbidden"
    assert await server.fence(bob) == [[]]


@pytest.mark.parametrize("room", ["user:bob", "role:vendor", "company:acme"])
async def test_a_room_that_the_server_fills_cannot_be_written_to(server, connect, room):
    ana, bob = await connect("ana"), await connect("bob")
    assert await ana.code("chat:send", {"room": room, "text": "hello"}) == "forbidden"
    assert await server.fence(bob) == [[]]


async def test_text_arrives_as_it_was_sent(connect):
    ana, bob = await connect("ana"), await connect("bob")
    text = "<b>&amp;</b>\n\t\u2028 \U0001f69a \u0645\u0631\u062d\u0628\u0627 \\n \"'"
    await ana.ask("chat:send", {"to": "bob", "text": text})
    assert (await bob.hears("chat:message"))["text"] == text


async def test_messages_of_one_sender_arrive_in_order(connect):
    ana, bob = await connect("ana"), await connect("bob")
    texts = [str(number) for number in range(30)]
    for text in texts:
        await ana.sio.emit("chat:send", {"to": "bob", "text": text})
    assert [(await bob.hears("chat:message"))["text"] for _ in texts] == texts


async def test_a_duplicate_message_is_delivered_once_with_the_same_ack(server, connect):
    ana, bob = await connect("ana"), await connect("bob")
    message = {"to": "bob", "text": "hello", "id": "m-1"}
    assert await ana.ask("chat:send", message) == await ana.ask("chat:send", message)
    [heard] = await server.fence(bob)
    assert len(heard) == 1


async def test_a_message_from_two_tabs_at_once_is_delivered_once(server, connect):
    first, second, bob = await connect("ana"), await connect("ana"), await connect("bob")
    message = {"to": "bob", "text": "hello", "id": "m-1"}
    acks = await asyncio.gather(first.ask("chat:send", message), second.ask("chat:send", message))
    assert acks[0] == acks[1]
    [heard] = await server.fence(bob)
    assert len(heard) == 1


async def test_two_users_may_use_the_same_message_id(server, connect):
    ana, eve, bob = await connect("ana"), await connect("eve"), await connect("bob")
    for tab in (ana, eve):
        await tab.ask("chat:send", {"to": "bob", "text": "hello", "id": "m-1"})
    [heard] = await server.fence(bob)
    assert len(heard) == 2


async def test_a_refused_message_may_be_sent_again_with_its_id(connect):
    ana = await connect("ana", rooms=["job:17"])
    message = {"room": "job:17", "text": "hello", "id": "m-1"}
    await ana.ask("room:leave", {"room": "job:17"})
    assert await ana.code("chat:send", message) == "forbidden"
    await ana.ask("room:join", {"room": "job:17"})
    assert (await ana.ask("chat:send", message))["ok"]
