"""Tests of `chat:send` and `chat:message`: audience, fields, order and duplicates."""

import asyncio

import pytest


async def test_a_message_reaches_every_tab_of_its_reader(connect):
    ana, first, second = await connect("ana"), await connect("bob"), await connect("bob")
    await ana.ask("chat:send", {"to": "bob", "text": "hello"})
    assert (await first.receives("chat:message"))["text"] == "hello"
    assert (await second.receives("chat:message"))["text"] == "hello"


async def test_a_message_to_a_user_carries_sender_id_and_time(serve, connect, clock):
    server = await serve(clock=clock)
    ana, bob = await connect("ana", "admin", to=server), await connect("bob", to=server)
    ack = await ana.ask("chat:send", {"to": "bob", "text": "hello"})
    at = int(clock.now * 1000)
    message = await bob.receives("chat:message")
    assert ack == {"ok": True, "data": {"id": message["id"], "at": at}}
    sender = {"id": "ana", "role": "admin"}
    assert message == {"id": message["id"], "from": sender, "to": "bob", "text": "hello", "at": at}


async def test_a_message_to_a_room_names_the_room_and_no_user(connect):
    ana, bob = await connect("ana", rooms=["job:17"]), await connect("bob", rooms=["job:17"])
    await ana.ask("chat:send", {"room": "job:17", "text": "hello"})
    message = await bob.receives("chat:message")
    assert message.keys() == {"id", "from", "room", "text", "at"}
    assert message["room"] == "job:17"


async def test_only_the_reader_receives_a_message(server, connect):
    ana, bob, eve = await connect("ana"), await connect("bob"), await connect("eve", "admin")
    await ana.ask("chat:send", {"to": "bob", "text": "hello"})
    received = await server.fence(ana, bob, eve)
    assert [len(messages) for messages in received] == [0, 1, 0]


async def test_only_members_receive_a_room_message(server, connect):
    ana, bob = await connect("ana", rooms=["job:17"]), await connect("bob", rooms=["job:17"])
    eve = await connect("eve", rooms=["job:18"])
    await ana.ask("chat:send", {"room": "job:17", "text": "hello"})
    received = await server.fence(ana, bob, eve)
    assert [len(messages) for messages in received] == [0, 1, 0]


async def test_a_message_reaches_the_senders_other_tabs_only(server, connect):
    sending, other, bob = await connect("ana"), await connect("ana"), await connect("bob")
    await sending.ask("chat:send", {"to": "bob", "text": "hello"})
    to_sending, to_other, to_bob = await server.fence(sending, other, bob)
    assert to_sending == []
    assert to_other == to_bob
    assert len(to_bob) == 1


async def test_the_senders_other_tab_in_the_room_gets_it_once(server, connect):
    sending, other = await connect("ana", rooms=["job:17"]), await connect("ana", rooms=["job:17"])
    await sending.ask("chat:send", {"room": "job:17", "text": "hello"})
    received = await server.fence(sending, other)
    assert [len(messages) for messages in received] == [0, 1]


async def test_a_note_to_oneself_reaches_the_own_other_tabs(server, connect):
    sending, other = await connect("ana"), await connect("ana")
    await sending.ask("chat:send", {"to": "ana", "text": "milk"})
    received = await server.fence(sending, other)
    assert [len(messages) for messages in received] == [0, 1]


async def test_every_role_chats_with_every_other(connect):
    roles = ("admin", "driver", "company", "provider", "vendor")
    tabs = [await connect(f"{role}-1", role, company="acme" if role == "company" else None) for role in roles]
    for sender, tab in zip(roles, tabs, strict=True):
        for reader, other in zip(roles, tabs, strict=True):
            assert (await tab.ask("chat:send", {"to": f"{reader}-1", "text": sender}))["ok"]
            if other is not tab:
                assert (await other.receives("chat:message"))["from"] == {"id": f"{sender}-1", "role": sender}


async def test_a_message_to_an_offline_user_gets_the_same_ack(connect):
    ana = await connect("ana")
    assert (await ana.ask("chat:send", {"to": "nobody", "text": "hello"}))["ok"]


async def test_only_members_may_write_to_a_room(server, connect):
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
    assert (await bob.receives("chat:message"))["text"] == text


async def test_messages_of_one_sender_arrive_in_order(connect):
    ana, bob = await connect("ana"), await connect("bob")
    texts = [str(number) for number in range(30)]
    for text in texts:
        await ana.sio.emit("chat:send", {"to": "bob", "text": text})
    assert [(await bob.receives("chat:message"))["text"] for _ in texts] == texts


async def test_a_duplicate_message_is_delivered_once_with_the_same_ack(server, connect):
    ana, bob = await connect("ana"), await connect("bob")
    message = {"to": "bob", "text": "hello", "id": "m-1"}
    assert await ana.ask("chat:send", message) == await ana.ask("chat:send", message)
    [received] = await server.fence(bob)
    assert len(received) == 1


async def test_a_message_from_two_tabs_at_once_is_delivered_once(server, connect):
    first, second, bob = await connect("ana"), await connect("ana"), await connect("bob")
    message = {"to": "bob", "text": "hello", "id": "m-1"}
    acks = await asyncio.gather(first.ask("chat:send", message), second.ask("chat:send", message))
    assert acks[0] == acks[1]
    [received] = await server.fence(bob)
    assert len(received) == 1


async def test_two_users_may_use_the_same_message_id(server, connect):
    ana, eve, bob = await connect("ana"), await connect("eve"), await connect("bob")
    for tab in (ana, eve):
        await tab.ask("chat:send", {"to": "bob", "text": "hello", "id": "m-1"})
    [received] = await server.fence(bob)
    assert len(received) == 2


async def test_a_refused_message_may_be_sent_again_with_its_id(connect):
    ana = await connect("ana", rooms=["job:17"])
    message = {"room": "job:17", "text": "hello", "id": "m-1"}
    await ana.ask("room:leave", {"room": "job:17"})
    assert await ana.code("chat:send", message) == "forbidden"
    await ana.ask("room:join", {"room": "job:17"})
    assert (await ana.ask("chat:send", message))["ok"]
