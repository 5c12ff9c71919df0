"""Tests of orders through the internal port, with one process."""

import asyncio
import gzip
import json

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as some

from ...events import ROOM_JOIN
from ...orders import MOST_DENY_SECONDS, MOST_ROOMS
from ...publish_http import MOST_BODY_BYTES
from ...rooms import role_room, user_room
from ...settings import Settings, SettingsError, load_settings
from ..orders import PUBLISH_TOKEN, TAKES_ORDERS, order, ordered
from ..stand_in import NOTE_RECEIVED, NOTICE_PUBLISHED, PLAIN, PRIVILEGED, topic
from ..tokens import PRODUCTION

PATHS = ("/publish", "/rooms", "/disconnect")
NOTICE = {"event": NOTICE_PUBLISHED, "data": {"text": "hello"}}
NOTE = {"id": "1", "sender": "ops", "text": "hello", "at": 1}
ANA = user_room("ana")
GOOD = {
    "/publish": NOTICE | {"to": [ANA]},
    "/rooms": {"user": "ana", "join": [topic("17")]},
    "/disconnect": {"user": "ana"},
}


@pytest_asyncio.fixture(loop_scope="session")
async def server(serve):
    return await serve(**TAKES_ORDERS)


async def test_a_published_message_reaches_its_rooms_and_nobody_else(server, http, connect):
    tabs = [await connect("ana") for _ in range(2)]
    bob, eve = await connect("bob", PRIVILEGED), await connect("eve")
    await ordered(http, server, "/publish", **NOTICE, to=[ANA, role_room(PRIVILEGED), ANA])
    got = [(NOTICE_PUBLISHED, {"text": "hello"})]
    assert await server.fence(*tabs, bob, eve) == [got, got, got, []]


async def test_an_order_moves_all_sockets_of_a_user(server, http, connect):
    tabs = [await connect("ana") for _ in range(2)]
    bob = await connect("bob", rooms=[topic("17")])
    await ordered(http, server, "/rooms", user="ana", join=[topic("17")])
    await ordered(http, server, "/publish", **NOTICE, to=[topic("17")])
    await ordered(http, server, "/rooms", user="ana", join=[topic("18")], leave=[topic("17")])
    await ordered(http, server, "/publish", **NOTICE, to=[topic("17")])
    await ordered(http, server, "/publish", **NOTICE, to=[topic("18")])
    assert [len(got) for got in await server.fence(*tabs, bob)] == [2, 2, 2]
    assert server.members(topic("18")) == 2


async def test_an_order_about_an_absent_user_is_no_mistake(server, http):
    await ordered(http, server, "/publish", **NOTICE, to=[user_room("nobody")])
    await ordered(http, server, "/rooms", user="nobody", leave=[topic("17")])
    await ordered(http, server, "/disconnect", user="nobody", deny_seconds=0)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("token", [PUBLISH_TOKEN, None, ""])
async def test_without_a_publish_token_there_is_no_endpoint(serve, http, path, token):
    server = await serve()
    assert (await order(http, server, path, GOOD[path], token=token))[0] == 404


@pytest.mark.parametrize("path", PATHS)
async def test_row_55_a_wrong_token_is_refused_before_the_body(server, http, connect, path):
    ana = await connect("ana")
    wrong = [None, "", "x", PUBLISH_TOKEN[:-1], PUBLISH_TOKEN + "x", PUBLISH_TOKEN.lower(), server.token("ana"), "ü"]
    for token in wrong:
        for body in (GOOD[path], b"{"):
            status, answer = await order(http, server, path, body, token=token)
            assert (status, answer["ok"], answer["error"]["code"]) == (401, False, "unauthorized")
            assert PUBLISH_TOKEN not in json.dumps(answer)
    for header in (f"Basic {PUBLISH_TOKEN}", PUBLISH_TOKEN, f"Bearer {PUBLISH_TOKEN} x", "Bearer"):
        assert (await order(http, server, path, GOOD[path], token=None, Authorization=header))[0] == 401
    assert await server.fence(ana) == [[]]
    assert (await order(http, server, path, GOOD[path], token=None, Authorization=f"bearer  {PUBLISH_TOKEN}"))[0] == 200


@pytest.mark.parametrize("path", PATHS)
async def test_row_55_the_public_port_takes_no_orders(server, http, path):
    async with http.post(server.url + path, headers={"Authorization": f"Bearer {PUBLISH_TOKEN}"}) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("path", PATHS)
async def test_only_post_is_an_order(server, http, path):
    async with http.get(server.internal_url + path, headers={"Authorization": f"Bearer {PUBLISH_TOKEN}"}) as answer:
        assert answer.status == 405


NO_JSON = [b"", b"{", b"\xff", b"NaN", b'{"user": NaN}', b"[" * 100_000, b'{"user": "ana",}', b"9" * 5000]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", NO_JSON, ids=lambda body: repr(body[:10]))
async def test_row_55_a_body_that_is_no_json_is_answered_400(server, http, path, body):
    status, answer = await order(http, server, path, body)
    assert (status, answer["error"]["code"]) == (400, "invalid")


@pytest.mark.parametrize("path", PATHS)
async def test_row_55_a_large_body_is_answered_413(server, http, path):
    large = json.dumps(GOOD[path] | {"x": "x" * MOST_BODY_BYTES}).encode()
    assert (await order(http, server, path, large))[0] == 413
    bomb = gzip.compress(large)
    status, answer = await order(http, server, path, bomb, **{"Content-Encoding": "gzip"})
    assert (status, answer["error"]["code"]) == (413, "invalid")
    assert (await order(http, server, path, b"no gzip", **{"Content-Encoding": "gzip"}))[0] == 400


TARGETS = [
    [],
    None,
    "",
    ANA,
    {},
    [""],
    [None],
    [ANA, ""],
    ["ana"],
    ["Xj3kf-92mlQ"],
    [ANA + " "],
    [ANA + "\n"],
    [role_room("drivers")],
    ["roles:driver"],
    [user_room("")],
    [user_room("a b")],
    ["company:"],
    [topic("")],
    [topic("x" * 33)],
    ["*"],
    ["/"],
    [[ANA]],
    [f"{ANA}-{number}" for number in range(MOST_ROOMS + 1)],
]
NO_TIMES = [-1, MOST_DENY_SECONDS + 1, "3600", True, [], {}]
ROOM = topic("17")
UNFIT = [
    *(("/publish", NOTICE | {"to": to}, "to") for to in TARGETS),
    *(("/publish", NOTICE | {"to": [ANA], "event": event}, "event") for event in (None, 1, "", "x" * 200, [])),
    *(("/publish", NOTICE | {"to": [ANA], "data": data}, "data") for data in (None, [], "x", 1)),
    ("/publish", {"to": [ANA], "event": NOTICE_PUBLISHED, "data": {}}, "data.text"),
    ("/publish", {"to": [ANA], "event": NOTICE_PUBLISHED, "data": {"text": 1}}, "data.text"),
    ("/publish", {"to": [ANA], "event": NOTICE_PUBLISHED, "data": {"text": "\ud800"}}, "data"),
    ("/publish", {"to": [ANA], "event": NOTICE_PUBLISHED, "data": {"text": "x", "more": 1}}, "data.more"),
    ("/publish", {"to": [ANA], "event": NOTE_RECEIVED, "data": NOTE | {"at": "1"}}, "data.at"),
    ("/publish", {"to": [ANA], "event": NOTE_RECEIVED, "data": NOTE | {"at": True}}, "data.at"),
    ("/publish", {"event": NOTICE_PUBLISHED, "data": {"text": "x"}}, "to"),
    ("/publish", GOOD["/publish"] | {"namespace": "/"}, None),
    *(("/rooms", {"user": user, "join": [ROOM]}, "user") for user in (None, "", 1, "a b", "x" * 129, ["ana"])),
    *(("/rooms", {"user": "ana", "join": join}, "join") for join in (None, ROOM, [ANA], [""], [1], ["x"])),
    *(("/rooms", {"user": "ana", "leave": leave}, "leave") for leave in (None, ROOM, [role_room(PLAIN)], ["x"])),
    ("/rooms", {"user": "ana", "join": [f"{topic('')}{number}" for number in range(MOST_ROOMS + 1)]}, "join"),
    ("/rooms", {"user": "ana"}, None),
    ("/rooms", {"user": "ana", "join": [], "leave": []}, None),
    ("/rooms", {"user": "ana", "join": [ROOM], "leave": [ROOM]}, None),
    ("/rooms", {"join": [ROOM]}, "user"),
    *(("/disconnect", {"user": "ana", "deny_seconds": seconds}, "deny_seconds") for seconds in NO_TIMES),
    *(("/disconnect", {"user": user}, "user") for user in (None, "", 1, "a b", "ana\n")),
    ("/disconnect", {}, "user"),
    ("/disconnect", {"user": "ana", "seconds": 1}, None),
    *((path, body, None) for path in PATHS for body in ([], 1, "x", None, [GOOD[path]])),
]


async def test_row_55_an_unfit_order_names_its_field_and_does_nothing(server, http, connect):
    ana = await connect("ana")
    for path, body, field in UNFIT:
        status, answer = await order(http, server, path, body)
        assert (status, answer["ok"], answer["error"]["code"]) == (422, False, "invalid"), (body, answer)
        assert answer["error"].get("field") == field, (body, answer)
        assert "\n" not in answer["error"]["message"]
    assert await server.fence(ana) == [[]]
    assert ana.sio.connected
    assert server.members(ROOM) == 0


async def test_a_number_too_large_for_json_is_no_time(server, http):
    status, answer = await order(http, server, "/disconnect", b'{"user": "ana", "deny_seconds": 1e400}')
    assert (status, answer["error"]["field"]) == (422, "deny_seconds")


async def test_an_unknown_event_names_the_nearest_one(server, http):
    body = {"event": NOTICE_PUBLISHED + "s", "data": {}, "to": [ANA]}
    status, answer = await order(http, server, "/publish", body)
    assert (status, answer["error"]["code"], answer["error"]["field"]) == (422, "unknown_event", "event")
    assert NOTICE_PUBLISHED in answer["error"]["message"]


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = some.sampled_from(["event", "data", "to", "user", "join", "leave", "deny_seconds", "x"])
VALUES = JSON | some.sampled_from([NOTICE_PUBLISHED, "ana", [ANA], [ROOM], {"text": "x"}, 0, 10**400])
BODIES = some.binary(max_size=50) | (JSON | some.dictionaries(KEYS, VALUES)).map(lambda body: json.dumps(body).encode())


@pytest.mark.no_pace("Hypothesis makes the bodies in a thread that holds the interpreter's lock")
async def test_row_55_no_body_breaks_an_endpoint(server, http):
    loop = asyncio.get_running_loop()

    @settings(max_examples=100)
    @given(path=some.sampled_from(PATHS), body=BODIES)
    def send(path, body):
        asked = asyncio.run_coroutine_threadsafe(order(http, server, path, body), loop)
        status, answer = asked.result(10)
        assert status in (200, 400, 422), answer
        assert answer["ok"] is (status == 200)

    await asyncio.to_thread(send)


async def test_bob_notices_nothing_of_orders_about_ana(server, http, connect):
    bob = await connect("bob")
    for path in PATHS:
        await ordered(http, server, path, **GOOD[path])
    assert await server.fence(bob) == [[]]
    assert (await bob.ask(ROOM_JOIN, {"room": ROOM}))["error"]["code"] == "forbidden"


@pytest.mark.parametrize(
    ("token", "env", "named"),
    [
        ("a b", {}, "ASCII"),
        ("schlüssel", {}, "ASCII"),
        ("x" * 31, PRODUCTION, "32 bytes"),
        ("changeme" * 5, PRODUCTION, "placeholder"),
    ],
)
def test_a_weak_publish_token_stops_the_start(token, env, named):
    with pytest.raises(SettingsError, match=f"SERVER_PUBLISH_TOKEN .*{named}"):
        load_settings(publish_token=token, **env)


def test_a_publish_token_is_not_shown():
    chosen = Settings(publish_token=PUBLISH_TOKEN, **PRODUCTION)
    assert PUBLISH_TOKEN not in repr(chosen)
    assert load_settings(publish_token="short").publish_token is not None
