"""Tests of refused events: the code, the field, and no repeated input."""

import json

import pytest
from structlog.testing import capture_logs

from ...events import AUTH_REFRESH, REPORT_REQUEST, ROOM_JOIN, ROOM_LEAVE
from ...gateway import abuse
from ..entitlements import Broken, Stuck
from ..package import has_part
from ..stand_in import (
    LEAVE,
    NOTE_RECEIVED,
    NOTE_SEND,
    NOTES_PER_SECOND,
    NOTICE_PUBLISH,
    PIN_SET,
    PINS_PER_SECOND,
    PRIVILEGED,
    topic,
)

CANARY = "canary-7f3a"
# event, payload, and the field that the refusal names
INVALID = [
    (NOTE_SEND, {"to": "bob"}, "text"),
    (NOTE_SEND, {"to": "bob", "text": ""}, "text"),
    (NOTE_SEND, {"to": "bob", "text": "x" * 4001}, "text"),
    (NOTE_SEND, {"to": "bob", "text": "nul \x00"}, "text"),
    (NOTE_SEND, {"to": "bob", "text": 7}, "text"),
    (NOTE_SEND, {"to": "b b", "text": "hello"}, "to"),
    (NOTE_SEND, {"to": "bob\n", "text": "hello"}, "to"),
    (NOTE_SEND, {"to": "x" * 129, "text": "hello"}, "to"),
    (NOTE_SEND, {"to": ["bob"], "text": "hello"}, "to"),
    (NOTE_SEND, {"room": "", "text": "hello"}, "room"),
    (NOTE_SEND, {"room": "lobby", "text": "hello"}, "room"),
    (NOTE_SEND, {"to": "bob", "text": "hello", "id": ""}, "id"),
    (NOTE_SEND, {"to": "bob", "text": "hello", "id": "x" * 65}, "id"),
    (NOTE_SEND, {"text": "hello"}, None),
    (NOTE_SEND, {"to": "bob", "room": topic("17"), "text": "hello"}, None),
    (NOTE_SEND, {"to": "bob", "text": "hello", "from": "eve"}, None),
    (PIN_SET, {"lat": 90.1, "lng": 0}, "lat"),
    (PIN_SET, {"lat": -90.1, "lng": 0}, "lat"),
    (PIN_SET, {"lat": "52", "lng": 0}, "lat"),
    (PIN_SET, {"lat": True, "lng": 0}, "lat"),
    (PIN_SET, {"lng": 0}, "lat"),
    (PIN_SET, {"lat": 0, "lng": 180.1}, "lng"),
    (PIN_SET, {"lat": 0, "lng": 0, "heading": 360.1}, "heading"),
    (PIN_SET, {"lat": 0, "lng": 0, "accuracy": -0.1}, "accuracy"),
    (PIN_SET, {"lat": 0, "lng": 0, "at": 1}, None),
    (PIN_SET, {"lat": 0, "lng": 0, "by": "dora"}, None),
    (NOTICE_PUBLISH, {"text": 7}, "text"),
    (NOTICE_PUBLISH, {}, "text"),
    (NOTICE_PUBLISH, {"text": "x" * 2001, "level": "info"}, "text"),
    (NOTICE_PUBLISH, {"text": "hello", "level": "loud"}, "level"),
    (NOTICE_PUBLISH, {"text": "hello", "level": "info", "roles": []}, "roles"),
    (NOTICE_PUBLISH, {"text": "hello", "level": "info", "roles": ["root"]}, "roles"),
    (ROOM_JOIN, {"room": "x" * 200}, "room"),
    (ROOM_JOIN, {"room": 17}, "room"),
    (ROOM_LEAVE, {}, "room"),
    (AUTH_REFRESH, {"token": ""}, "token"),
    (AUTH_REFRESH, {"token": {}}, "token"),
]
if has_part("reports"):
    INVALID += [
        (REPORT_REQUEST, {"kind": "gpu", "size": 1}, "kind"),
        (REPORT_REQUEST, {"kind": "cpu", "size": 0}, "size"),
        (REPORT_REQUEST, {"kind": "cpu", "size": 2001}, "size"),
        (REPORT_REQUEST, {"kind": "cpu", "size": 1.5}, "size"),
        (REPORT_REQUEST, {"kind": "cpu", "size": True}, "size"),
    ]
EVENTS = sorted({event for event, _, _ in INVALID})


@pytest.mark.parametrize(("event", "payload", "field"), INVALID)
async def test_a_wrong_payload_is_invalid_and_names_the_field(connect, event, payload, field):
    error = (await (await connect("ana", PRIVILEGED)).ask(event, payload))["error"]
    assert (error["code"], error.get("field")) == ("invalid", field)
    assert error.keys() - {"field"} == {"code", "message"}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
async def test_a_number_that_is_not_finite_is_invalid(server, connect, number):
    dora, adam = await connect("dora", PRIVILEGED), await connect("adam", PRIVILEGED)
    assert await dora.code(PIN_SET, {"lat": number, "lng": 0}) == "invalid"
    assert await server.fence(adam) == [[]]


@pytest.mark.parametrize("data", [None, topic("17"), 17, [], [topic("17")], (LEAVE[1], LEAVE[1])])
async def test_an_event_takes_exactly_one_object(connect, data):
    assert await (await connect("ana", rooms=[topic("17")])).code(ROOM_LEAVE, data) == "invalid"


@pytest.mark.parametrize("event", ["note:sned", "session:login", NOTE_RECEIVED, "", "__proto__", "*", "message"])
async def test_an_unknown_event_is_refused(connect, event):
    ack = await (await connect("ana")).ask(event, {})
    assert ack["ok"] is False
    assert ack["error"].keys() == {"code", "message"}
    assert ack["error"]["code"] == "unknown_event"


async def test_too_many_events_get_retry_after(serve, connect):
    ana = await connect("ana", to=await serve(events_per_second=0.1, burst_seconds=20))
    acks = [await ana.ask(*LEAVE) for _ in range(3)]
    assert [ack["ok"] for ack in acks] == [True, True, False]
    assert acks[-1]["error"]["code"] == "rate_limited"
    assert 8 < acks[-1]["error"]["retry_after"] <= 10


@pytest.mark.parametrize(
    ("setting", "event", "payload"),
    [
        (NOTES_PER_SECOND, NOTE_SEND, {"to": "bob", "text": "hello"}),
        (PINS_PER_SECOND, PIN_SET, {"lat": 0, "lng": 0}),
    ],
)
async def test_chat_and_tracking_have_separate_rate_limits(serve, connect, setting, event, payload):
    tab = await connect("ana", PRIVILEGED, to=await serve(**{setting: 0.1}))
    assert (await tab.ask(event, payload))["ok"]
    assert await tab.code(event, payload) == "rate_limited"
    assert (await tab.ask(NOTICE_PUBLISH, {"text": "hello"}))["ok"]


async def test_two_tabs_of_one_user_share_a_rate_limit(serve, connect):
    server = await serve(**{NOTES_PER_SECOND: 0.1})
    first, second = await connect("ana", to=server), await connect("ana", to=server)
    assert (await first.ask(NOTE_SEND, {"to": "bob", "text": "hello"}))["ok"]
    assert await second.code(NOTE_SEND, {"to": "bob", "text": "hello"}) == "rate_limited"


async def test_the_rate_limit_of_one_user_does_not_affect_others(serve, connect):
    server = await serve(**{NOTES_PER_SECOND: 0.1})
    for user in ("ana", "bob"):
        tab = await connect(user, to=server)
        assert (await tab.ask(NOTE_SEND, {"to": "eve", "text": "hello"}))["ok"]


async def test_a_client_that_ignores_rate_limits_is_disconnected(serve, connect, monkeypatch):
    monkeypatch.setattr(abuse, "NOTICE_SECONDS", 0.0)
    server = await serve(events_per_second=0.1, refusals_per_minute=5)
    ana, bob = await connect("ana", to=server), await connect("bob", to=server)
    for _ in range(10):
        await ana.sio.emit(*LEAVE)
    assert await ana.is_closed()
    assert (await bob.ask(*LEAVE))["ok"]


async def test_a_handler_that_passes_its_deadline_times_out(serve, connect):
    ana = await connect("ana", to=await serve(entitlements=Stuck(), handler_seconds=0.05))
    assert await ana.code(ROOM_JOIN, {"room": topic("17")}) == "timeout"
    assert (await ana.ask(*LEAVE))["ok"]


async def test_a_handler_error_is_answered_with_the_id_in_the_log(serve, connect):
    ana = await connect("ana", to=await serve(entitlements=Broken(CANARY)))
    with capture_logs() as logs:
        ack = await ana.ask(ROOM_JOIN, {"room": topic("17")})
    assert ack["error"].keys() == {"code", "message", "id"}
    assert ack["error"]["code"] == "internal"
    [entry] = [entry for entry in logs if entry.get("id") == ack["error"]["id"]]
    assert CANARY in str(entry["exc_info"])


async def test_a_refusal_shows_no_detail_of_an_internal_error(serve, connect):
    ana = await connect("ana", to=await serve(entitlements=Broken(CANARY)))
    ack = json.dumps(await ana.ask(ROOM_JOIN, {"room": topic("17")}))
    assert CANARY not in ack
    assert "Traceback" not in ack


async def test_every_event_that_asks_for_an_ack_gets_exactly_one(server, dial):
    wire = await dial(token=server.token("ana", PRIVILEGED))
    asked = [*EVENTS, "note:sned"]
    for id, event in enumerate(asked, start=10):
        await wire.send(f'42{id}["{event}",{{}}]')
        await wire.send(f'42["{event}",{{}}]')
    await wire.send('4299["last",{}]')
    answered = []
    while "99" not in answered:
        answered.append((await wire.frame()).removeprefix("43").partition("[")[0])
    assert answered == [str(id) for id in range(10, 10 + len(asked))] + ["99"]


@pytest.mark.parametrize("event", EVENTS)
async def test_no_ack_repeats_what_was_sent(connect, event):
    tab = await connect("ana", PRIVILEGED)
    fields = {name for known, payload, _ in INVALID if known == event for name in payload}
    sent = [{field: value} for field in fields for value in (CANARY + "\n", [CANARY], {CANARY: CANARY})]
    acks = [await tab.ask(event, payload) for payload in [*sent, CANARY, [CANARY], {CANARY: 1}, (CANARY, CANARY)]]
    acks.append(await tab.ask(CANARY, {}))
    assert [ack["ok"] for ack in acks] == [False] * len(acks)
    assert CANARY not in json.dumps(acks)
