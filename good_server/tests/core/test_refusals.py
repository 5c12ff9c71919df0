"""Refusals of events: the code, the fields, and what they never hold."""

import json

import pytest
from structlog.testing import capture_logs

from ..entitlements import Broken, Stuck

CANARY = "canary-7f3a"


INVALID = [
    ("chat:send", {"to": "bob"}, "text"),
    ("chat:send", {"to": "bob", "text": ""}, "text"),
    ("chat:send", {"to": "bob", "text": "x" * 4001}, "text"),
    ("chat:send", {"to": "bob", "text": "nul \x00"}, "text"),
    ("chat:send", {"to": "bob", "text": 7}, "text"),
    ("chat:send", {"to": "b b", "text": "hello"}, "to"),
    ("chat:send", {"to": "bob\n", "text": "hello"}, "to"),
    ("chat:send", {"to": "x" * 65, "text": "hello"}, "to"),
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
    ("room:join", {"room": "x" * 200}, "room"),
    ("room:join", {"room": 17}, "room"),
    ("room:leave", {}, "room"),
    ("report:request", {"kind": "gpu", "size": 1}, "kind"),
    ("report:request", {"kind": "cpu", "size": 0}, "size"),
    ("report:request", {"kind": "cpu", "size": 2001}, "size"),
    ("report:request", {"kind": "cpu", "size": 1.5}, "size"),
    ("report:request", {"kind": "cpu", "size": True}, "size"),
    ("auth:refresh", {"token": ""}, "token"),
    ("auth:refresh", {"token": {}}, "token"),
]
ROLE_FOR = {"tracking:update": "driver", "driver:status": "driver", "system:announce": "admin"}


@pytest.mark.parametrize(("event", "payload", "field"), INVALID)
async def test_a_wrong_payload_is_invalid_and_names_the_field(connect, event, payload, field):
    error = (await (await connect("ana", ROLE_FOR.get(event, "vendor"))).ask(event, payload))["error"]
    assert (error["code"], error.get("field")) == ("invalid", field)
    assert error.keys() - {"field"} == {"code", "message"}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
async def test_a_number_that_is_not_finite_is_invalid(server, connect, number):
    dora, adam = await connect("dora", "driver"), await connect("adam", "admin")
    assert await dora.code("tracking:update", {"lat": number, "lng": 0}) == "invalid"
    assert await server.fence(adam) == [[]]


@pytest.mark.parametrize("data", [None, "job:17", 17, [], ["job:17"], ({"room": "job:17"}, {"room": "job:17"})])
async def test_an_event_takes_exactly_one_object(connect, data):
    assert await (await connect("ana", rooms=["job:17"])).code("room:leave", data) == "invalid"


@pytest.mark.parametrize("event", ["chat:sned", "session:login", "chat:message", "", "__proto__", "*", "message"])
async def test_an_event_that_is_not_served_is_unknown(connect, event):
    ack = await (await connect("ana")).ask(event, {})
    assert ack["ok"] is False
    assert ack["error"].keys() == {"code", "message"}
    assert ack["error"]["code"] == "unknown_event"


async def test_too_many_events_get_retry_after(serve, connect):
    ana = await connect("ana", to=await serve(events_per_second=0.1, burst_seconds=20))
    acks = [await ana.ask("room:leave", {"room": "job:17"}) for _ in range(3)]
    assert [ack["ok"] for ack in acks] == [True, True, False]
    assert acks[-1]["error"]["code"] == "rate_limited"
    assert 8 < acks[-1]["error"]["retry_after"] <= 10


@pytest.mark.parametrize(
    ("setting", "event", "payload"),
    [
        ("chat_per_second", "chat:send", {"to": "bob", "text": "hello"}),
        ("tracking_per_second", "tracking:update", {"lat": 0, "lng": 0}),
    ],
)
async def test_chat_and_tracking_have_rates_of_their_own(serve, connect, setting, event, payload):
    tab = await connect("ana", "driver", to=await serve(**{setting: 0.1}))
    assert (await tab.ask(event, payload))["ok"]
    assert await tab.code(event, payload) == "rate_limited"
    assert (await tab.ask("driver:status", {"status": "busy"}))["ok"]


async def test_a_second_tab_buys_no_second_allowance(serve, connect):
    server = await serve(chat_per_second=0.1)
    first, second = await connect("ana", to=server), await connect("ana", to=server)
    assert (await first.ask("chat:send", {"to": "bob", "text": "hello"}))["ok"]
    assert await second.code("chat:send", {"to": "bob", "text": "hello"}) == "rate_limited"


async def test_the_allowance_of_one_user_is_not_anothers(serve, connect):
    server = await serve(chat_per_second=0.1)
    for user in ("ana", "bob"):
        tab = await connect(user, to=server)
        assert (await tab.ask("chat:send", {"to": "eve", "text": "hello"}))["ok"]


async def test_who_does_not_slow_down_is_closed(serve, connect):
    server = await serve(events_per_second=0.1, refusals_in_a_row=5)
    ana, bob = await connect("ana", to=server), await connect("bob", to=server)
    for _ in range(6):
        await ana.sio.emit("room:leave", {"room": "job:17"})
    assert await ana.is_closed()
    assert (await bob.ask("room:leave", {"room": "job:17"}))["ok"]


async def test_a_handler_past_its_deadline_is_given_up(serve, connect):
    ana = await connect("ana", to=await serve(entitlements=Stuck(), handler_seconds=0.05))
    assert await ana.code("room:join", {"room": "job:17"}) == "timeout"
    assert (await ana.ask("room:leave", {"room": "job:17"}))["ok"]


async def test_a_handler_error_is_answered_with_the_id_in_the_log(serve, connect):
    ana = await connect("ana", to=await serve(entitlements=Broken(CANARY)))
    with capture_logs() as logs:
        ack = await ana.ask("room:join", {"room": "job:17"})
    assert ack["error"].keys() == {"code", "message", "id"}
    assert ack["error"]["code"] == "internal"
    [entry] = [entry for entry in logs if entry.get("id") == ack["error"]["id"]]
    assert CANARY in str(entry["exc_info"])


async def test_an_error_inside_says_nothing_of_itself_outside(serve, connect):
    ana = await connect("ana", to=await serve(entitlements=Broken(CANARY)))
    ack = json.dumps(await ana.ask("room:join", {"room": "job:17"}))
    assert CANARY not in ack
    assert "Traceback" not in ack


async def test_every_event_that_asks_for_an_ack_gets_exactly_one(server, dial):
    wire = await dial(token=server.token("ana", "driver"))
    asked = [*({event for event, _, _ in INVALID}), "chat:sned"]
    for id, event in enumerate(asked, start=10):
        await wire.send(f'42{id}["{event}",{{}}]')
        await wire.send(f'42["{event}",{{}}]')
    await wire.send('4299["last",{}]')
    answered = []
    while "99" not in answered:
        answered.append((await wire.frame()).removeprefix("43").partition("[")[0])
    assert answered == [str(id) for id in range(10, 10 + len(asked))] + ["99"]


@pytest.mark.parametrize("event", sorted({event for event, _, _ in INVALID}))
async def test_no_ack_repeats_what_was_sent(connect, event):
    tab = await connect("ana", ROLE_FOR.get(event, "vendor"))
    fields = {name for known, payload, _ in INVALID if known == event for name in payload}
    sent = [{field: value} for field in fields for value in (CANARY + "\n", [CANARY], {CANARY: CANARY})]
    acks = [await tab.ask(event, payload) for payload in [*sent, CANARY, [CANARY], {CANARY: 1}, (CANARY, CANARY)]]
    acks.append(await tab.ask(CANARY, {}))
    assert [ack["ok"] for ack in acks] == [False] * len(acks)
    assert CANARY not in json.dumps(acks)
