"""Tests of the requests of the TypeScript client.

It loses none without a word, and repeats none that might have its effect twice."""

import asyncio
import time

import pytest

from ...events import CHAT_MESSAGE
from ...rooms import topic_room, user_room
from ..npm import NPM_SECONDS
from .node_client import answered

pytestmark = pytest.mark.timeout(2 * NPM_SECONDS)


class Dispatch:
    """Entitlements that a test can change."""

    def __init__(self, *rooms):
        self.rooms = set(rooms)

    async def may_join(self, identity, room):
        return room in self.rooms


def chat(text, **target):
    return {"text": text, **(target or {"to": "ben"})}


def outcomes(server, event):
    """Return how often the server has given each answer to an event."""
    samples = server.application.guards.metrics.events.collect()[0].samples
    found = [each for each in samples if each.name.endswith("_total") and each.labels["event"] == event]
    return {each.labels["outcome"]: each.value for each in found}


async def texts(server, tab):
    """Return the texts of the messages that a tab has received."""
    [received] = await server.fence(tab)
    return [message["text"] for event, message in received if event == CHAT_MESSAGE]


async def test_a_message_goes_out_and_another_comes_in(server, connect, open_client):
    ben, ana = await connect("ben"), await open_client(server)
    assert (await ana.ask("chat:send", chat("hello")))["ok"]
    assert await texts(server, ben) == ["hello"]
    await ben.ask("chat:send", chat("hello too", to="ana"))
    await ana.until(lambda: ana.texts() == ["hello too"])


@pytest.mark.parametrize("is_cut", [True, False])
async def test_a_lost_ack_does_not_deliver_twice(server, connect, open_link, open_client, until, is_cut):
    link, ben = await open_link(server), await connect("ben")
    ana = await open_client(server, link=link, ackTimeoutMs=500)
    await ana.is_online()
    link.is_mute = True
    answer = ana.start("chat:send", chat("once"))
    await until(lambda: outcomes(server, "chat:send") == {"ok": 1})
    if is_cut:
        link.cut()
    else:
        await until(lambda: outcomes(server, "chat:send") == {"ok": 2})
    link.is_mute = False
    assert (await answered(answer))["ok"]
    assert outcomes(server, "chat:send")["ok"] >= 2
    assert await texts(server, ben) == ["once"]


async def test_what_has_no_id_is_not_sent_twice(server, connect, open_link, open_client, until):
    link = await open_link(server)
    eve = await open_client(server, "eve", "admin", link=link)
    await eve.is_online()
    link.is_mute = True
    answer = eve.start("system:announce", {"text": "hello", "level": "info"})
    await until(lambda: outcomes(server, "system:announce") == {"ok": 1})
    link.cut()
    link.is_mute = False
    assert (await answered(answer))["error"]["code"] == "no_answer"
    await eve.is_online(2)
    assert outcomes(server, "system:announce") == {"ok": 1}


async def test_a_rate_limited_request_waits_as_long_as_told(serve, connect, open_client):
    server = await serve(chat_per_second=1, burst_seconds=1)
    ben = await connect("ben", to=server)
    ana = await open_client(server)
    await ana.is_online()
    began = time.monotonic()
    answers = await asyncio.gather(*(ana.ask("chat:send", chat(text)) for text in ("first", "second")))
    assert [answer["ok"] for answer in answers] == [True, True]
    # the bucket of one message is full again after a second
    assert time.monotonic() - began > 0.9
    assert outcomes(server, "chat:send") == {"ok": 2, "rate_limited": 1}
    assert await texts(server, ben) == ["first", "second"]


@pytest.mark.needs("reports")
async def test_a_busy_queue_is_asked_again(serve, open_client):
    server = await serve(reports_per_user=1)
    ana = await open_client(server)
    first, second = (ana.start("report:request", {"kind": "outside", "size": 200}) for _ in range(2))
    assert (await answered(first))["ok"]
    assert (await answered(second))["ok"]
    assert outcomes(server, "report:request")["busy"] >= 1


async def test_a_final_refusal_is_returned_at_once(server, open_client):
    ana = await open_client(server)
    answer = await ana.ask("chat:send", chat("hello", room="job:17"))
    assert answer["error"]["code"] == "forbidden"
    assert outcomes(server, "chat:send") == {"forbidden": 1}


async def test_requests_wait_in_order_up_to_the_bound(server, connect, open_client):
    ben, ana = await connect("ben"), await open_client(server, maxWaiting=3)
    await ana.is_online()
    ana.do("pause")
    answers = [ana.start("chat:send", chat(text)) for text in "abcde"]
    refused = await answered(*answers[3:])
    assert [answer["error"]["code"] for answer in refused] == ["queue_full", "queue_full"]
    assert not any(answer.done() for answer in answers[:3])
    ana.do("connect")
    accepted = await answered(*answers[:3])
    assert all(answer["ok"] for answer in accepted)
    assert await texts(server, ben) == ["a", "b", "c"]


async def test_what_was_sent_before_the_cut_keeps_its_place(server, connect, open_link, open_client, until):
    link, ben = await open_link(server), await connect("ben")
    ana = await open_client(server, link=link, maxWaiting=1)
    await ana.is_online()
    link.is_mute = True
    answers = [ana.start("chat:send", chat(text)) for text in "abc"]
    await until(lambda: outcomes(server, "chat:send") == {"ok": 3})
    link.cut()
    link.is_mute = False
    # the bound is for new requests: none of these three is refused
    assert all(answer["ok"] for answer in await answered(*answers))
    assert await texts(server, ben) == ["a", "b", "c"]


async def test_a_position_is_not_kept_while_offline(server, open_client):
    dee = await open_client(server, "dee", "driver", claims={"company": "acme"})
    await dee.is_online()
    dee.do("pause")
    answer = await dee.ask("tracking:update", {"lat": 1, "lng": 2}, once=True)
    assert answer["error"]["code"] == "offline"
    dee.do("connect")
    await dee.is_online(2)
    assert outcomes(server, "tracking:update") == {}


async def test_a_request_is_given_up_after_its_time(server, open_client):
    ana = await open_client(server, giveUpMs=300)
    await ana.is_online()
    ana.do("pause")
    assert (await ana.ask("chat:send", chat("too late")))["error"]["code"] == "offline"
    ana.do("connect")
    await ana.is_online(2)
    assert outcomes(server, "chat:send") == {}


async def test_a_lost_request_is_given_up_without_an_answer(server, open_link, open_client, until):
    link = await open_link(server)
    ana = await open_client(server, link=link, giveUpMs=1500, ackTimeoutMs=300)
    await ana.is_online()
    link.is_mute = True
    answer = await ana.ask("chat:send", chat("unknown"))
    # it has arrived, but the client cannot know
    assert answer["error"]["code"] == "no_answer"
    assert outcomes(server, "chat:send")["ok"] >= 2


async def test_a_closed_client_refuses_what_waits(server, open_client):
    ana = await open_client(server)
    await ana.is_online()
    ana.do("pause")
    answer = ana.start("chat:send", chat("hello"))
    ana.do("close")
    assert (await answered(answer))["error"]["code"] == "stopped"
    assert (await ana.ask("chat:send", chat("hello")))["error"]["code"] == "stopped"


async def test_a_topic_room_is_joined_again_after_a_cut(serve, connect, open_link, open_client):
    server = await serve(entitlements=Dispatch("job:18"))
    link, ben = await open_link(server), await connect("ben", to=server, rooms=["job:18"])
    ana = await open_client(server, link=link)
    assert (await ana.join("job:18"))["ok"]
    link.cut()
    await ana.is_online(2)
    # the client joins before it sends anything else, so this event is served after the join
    assert (await ana.ask("chat:send", chat("from ana", room="job:18")))["ok"]
    await ben.ask("chat:send", chat("from ben", room="job:18"))
    await ana.until(lambda: ana.texts() == ["from ben"])


async def test_a_waiting_message_is_sent_after_its_room_is_joined(serve, connect, open_client):
    server = await serve(entitlements=Dispatch("job:18"))
    ben, ana = await connect("ben", to=server, rooms=["job:18"]), await open_client(server)
    assert (await ana.join("job:18"))["ok"]
    ana.do("pause")
    answer = ana.start("chat:send", chat("later", room="job:18"))
    ana.do("connect")
    assert (await answered(answer))["ok"]
    assert await texts(server, ben) == ["later"]


async def test_a_room_that_was_left_is_not_joined_again(serve, open_link, open_client):
    server = await serve(entitlements=Dispatch("job:18"))
    link = await open_link(server)
    ana = await open_client(server, link=link)
    assert (await ana.join("job:18"))["ok"]
    await ana.leave("job:18")
    link.cut()
    await ana.is_online(2)
    assert (await ana.ask("room:leave", {"room": "job:1"}))["ok"]
    assert server.members(topic_room("job:18")) == 0
    assert outcomes(server, "room:join") == {"ok": 1}


async def test_a_room_that_is_refused_later_is_reported_once(serve, open_link, open_client):
    dispatch = Dispatch("job:18")
    server = await serve(entitlements=dispatch)
    link = await open_link(server)
    ana = await open_client(server, link=link)
    assert (await ana.join("job:18"))["ok"]
    dispatch.rooms.clear()
    link.cut()
    await ana.until(lambda: ana.lost_rooms == [{"room": "job:18", "code": "forbidden"}])
    link.cut()
    await ana.is_online(3)
    assert (await ana.ask("room:leave", {"room": "job:1"}))["ok"]
    assert outcomes(server, "room:join") == {"ok": 1, "forbidden": 1}
    assert len(ana.lost_rooms) == 1


async def test_a_message_that_comes_twice_is_shown_once(server, open_client):
    ana = await open_client(server)
    await ana.is_online()
    for id, text in (("1", "first"), ("1", "first"), ("2", "second")):
        message = {"id": id, "from": {"id": "ben", "role": "vendor"}, "to": "ana", "text": text, "at": 1}
        await server.sio.emit(CHAT_MESSAGE, message, room=[user_room("ana")])
    await ana.until(lambda: ana.texts()[-1:] == ["second"])
    assert ana.texts() == ["first", "second"]
