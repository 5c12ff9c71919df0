"""Tests of the platform's refused events: code, field, no repeated input."""

import json

import pytest

from ..checks import still_gets_messages
from ..wire import bare

CANARY = "canary-7f3a"
# event, payload, and the field that the refusal names
INVALID = [
    ("chat:send", {"to": "bob"}, "text"),
    ("chat:send", {"to": "bob", "text": ""}, "text"),
    ("chat:send", {"to": "bob", "text": "x" * 4001}, "text"),
    ("chat:send", {"to": "bob", "text": "nul \x00"}, "text"),
    ("chat:send", {"to": "bob", "text": 7}, "text"),
    ("chat:send", {"to": "b b", "text": "hello"}, "to"),
    ("chat:send", {"to": "bob\n", "text": "hello"}, "to"),
    ("chat:send", {"to": "x" * 129, "text": "hello"}, "to"),
    ("chat:send", {"to": ["bob"], "text": "hello"}, "to"),
    ("chat:send", {"room": "", "text": "hello"}, "room"),
    ("chat:send", {"room": "lobby", "text": "hello"}, "room"),
    ("chat:send", {"to": "bob", "text": "hello", "id": ""}, "id"),
    ("chat:send", {"to": "bob", "text": "hello", "id": "x" * 65}, "id"),
    ("chat:send", {"text": "hello"}, None),
    ("chat:send", {"to": "bob", "room": "job:17", "text": "hello"}, None),
    ("chat:send", {"to": "bob", "text": "hello", "from": "eve"}, None),
    ("tracking:update", {"lat": 90.1, "lng": 0}, "lat"),
    ("tracking:update", {"lat": -90.1, "lng": 0}, "lat"),
    ("tracking:update", {"lat": "52", "lng": 0}, "lat"),
    ("tracking:update", {"lat": True, "lng": 0}, "lat"),
    ("tracking:update", {"lng": 0}, "lat"),
    ("tracking:update", {"lat": 0, "lng": 180.1}, "lng"),
    ("tracking:update", {"lat": 0, "lng": 0, "heading": 360.1}, "heading"),
    ("tracking:update", {"lat": 0, "lng": 0, "speed": -0.1}, "speed"),
    ("tracking:update", {"lat": 0, "lng": 0, "at": 1}, None),
    ("tracking:update", {"lat": 0, "lng": 0, "driver": "dora"}, None),
    ("driver:status", {"status": "asleep"}, "status"),
    ("driver:status", {}, "status"),
    ("system:announce", {"text": "x" * 2001, "level": "info"}, "text"),
    ("system:announce", {"text": "hello", "level": "loud"}, "level"),
    ("system:announce", {"text": "hello", "level": "info", "roles": []}, "roles"),
    ("system:announce", {"text": "hello", "level": "info", "roles": ["root"]}, "roles"),
]
EVENTS = sorted({event for event, _, _ in INVALID})
ROLE_FOR = {"tracking:update": "driver", "driver:status": "driver", "system:announce": "admin"}


@pytest.mark.parametrize(("event", "payload", "field"), INVALID)
async def test_a_wrong_platform_payload_is_invalid(connect, event, payload, field):
    error = (await (await connect("ana", ROLE_FOR.get(event, "vendor"))).ask(event, payload))["error"]
    assert (error["code"], error.get("field")) == ("invalid", field)
    assert error.keys() - {"field"} == {"code", "message"}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
async def test_a_position_that_is_not_finite_is_invalid(server, connect, number):
    dora, adam = await connect("dora", "driver"), await connect("adam", "admin")
    assert await dora.code("tracking:update", {"lat": number, "lng": 0}) == "invalid"
    assert await server.fence(adam) == [[]]


@pytest.mark.parametrize("event", ["chat:sned", "session:login", "chat:message"])
async def test_an_event_that_the_platform_does_not_serve_is_unknown(connect, event):
    ack = await (await connect("ana")).ask(event, {})
    assert ack["ok"] is False
    assert ack["error"].keys() == {"code", "message"}
    assert ack["error"]["code"] == "unknown_event"


@pytest.mark.parametrize(
    ("setting", "event", "payload"),
    [
        ("chat_per_second", "chat:send", {"to": "bob", "text": "hello"}),
        ("tracking_per_second", "tracking:update", {"lat": 0, "lng": 0}),
    ],
)
async def test_chat_and_positions_have_separate_rate_limits(serve, connect, setting, event, payload):
    tab = await connect("ana", "driver", to=await serve(**{setting: 0.1}))
    assert (await tab.ask(event, payload))["ok"]
    assert await tab.code(event, payload) == "rate_limited"
    assert (await tab.ask("driver:status", {"status": "busy"}))["ok"]


@pytest.mark.parametrize("event", EVENTS)
async def test_no_ack_of_the_platform_repeats_what_was_sent(connect, event):
    tab = await connect("ana", ROLE_FOR.get(event, "vendor"))
    fields = {name for known, payload, _ in INVALID if known == event for name in payload}
    sent = [{field: value} for field in fields for value in (CANARY + "\n", [CANARY], {CANARY: CANARY})]
    acks = [await tab.ask(event, payload) for payload in [*sent, CANARY, [CANARY], {CANARY: 1}, (CANARY, CANARY)]]
    acks.append(await tab.ask(CANARY, {}))
    assert [ack["ok"] for ack in acks] == [False] * len(acks)
    assert CANARY not in json.dumps(acks)


async def test_every_event_of_the_platform_gets_exactly_one_ack(server, dial):
    wire = await dial(token=server.token("ana", "driver"))
    asked = [*EVENTS, "room:join", "report:request", "auth:refresh", "chat:sned"]
    for id, event in enumerate(asked, start=10):
        await wire.send(f'42{id}["{event}",{{}}]')
        await wire.send(f'42["{event}",{{}}]')
    await wire.send('4299["last",{}]')
    answered = []
    while "99" not in answered:
        answered.append((await wire.frame()).removeprefix("43").partition("[")[0])
    assert answered == [str(id) for id in range(10, 10 + len(asked))] + ["99"]


# the payload as it goes over the wire, and the field that the answer names; an unknown key is input, and is not named
FIELDS = [
    ("tracking:update", '{"lat":NaN,"lng":0}', "lat"),
    ("tracking:update", '{"lat":0,"lng":-Infinity}', "lng"),
    ("tracking:update", '{"lat":0,"lng":0,"speed":1e999}', "speed"),
    ("tracking:update", '{"lat":90.01,"lng":0}', "lat"),
    ("tracking:update", '{"lat":"52","lng":0}', "lat"),
    ("tracking:update", '{"lat":0,"lng":0,"heading":361}', "heading"),
    ("tracking:update", f'{{"lat":0,"lng":0,"{CANARY}":1}}', None),
    ("tracking:update", f'{{"lat":0,"lng":0,"{CANARY}":NaN}}', None),
    ("chat:send", '{"to":"bob","text":"\\ud800"}', "text"),
    ("chat:send", '{"to":"\\udfff","text":"x"}', "to"),
    ("chat:send", '{"to":"bob","text":"x","id":"\\ud83d"}', "id"),
    ("chat:send", f'{{"to":"bob","text":"{CANARY}\\u0000"}}', "text"),
    ("chat:send", f'{{"to":"bob","text":"{CANARY * 400}"}}', "text"),
    ("chat:send", f'{{"to":"bob","text":["{CANARY}"]}}', "text"),
    ("chat:send", f'{{"to":"bob","text":"x","from":"{CANARY}"}}', None),
    ("driver:status", f'{{"status":"{CANARY}"}}', "status"),
]


@pytest.mark.pace
@pytest.mark.parametrize(("event", "payload", "field"), FIELDS)
async def test_a_wrong_value_on_the_wire_names_its_field(server, connect, event, payload, field):
    bob = await connect("bob")
    async with bare(server.url, server.token("ana", "driver")) as ana:
        ana.send(f'427["{event}",{payload}]')
        ack = await ana.ack(7)
    assert not ack["ok"], "was accepted"
    assert (ack["error"]["code"], ack["error"].get("field")) == ("invalid", field)
    assert ack["error"].keys() <= {"code", "message", "field"}
    assert CANARY not in json.dumps(ack)
    assert await still_gets_messages(server, bob)
