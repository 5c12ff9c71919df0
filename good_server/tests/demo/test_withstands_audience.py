"""Tests of rows 24 and 27 to 30 of `WITHSTANDS.md`.

They check who receives each event of the dispatch platform.
"""

import pytest
import pytest_asyncio

from ... import rooms
from ...app import create_parts, create_routes
from ...gateway import Gateway
from ...handlers import driver, tracking
from ...idempotency import IdempotencyCache
from ...roles import Role
from ...settings import Settings
from ..checks import notices_nothing
from ..examples import example
from ..package import has_part

POSITION = {"lat": 52.5, "lng": 13.4}
# tab: user, role, company, topic rooms; two users have two tabs, and there are two companies
TABS = {
    "ana": ("ana", "vendor", None, ["job:17"]),
    "ana 2": ("ana", "vendor", None, []),
    "vic": ("vic", "vendor", "acme", ["job:18"]),
    "paul": ("paul", "provider", None, ["job:17"]),
    "pia": ("pia", "provider", None, []),
    "adam": ("adam", "admin", None, []),
    "ada": ("ada", "admin", None, ["job:18"]),
    "carl": ("carl", "company", "acme", []),
    "carl 2": ("carl", "company", "acme", ["job:17"]),
    "cora": ("cora", "company", "bolt", ["job:18"]),
    "dora": ("dora", "driver", "acme", ["job:17"]),
    "drew": ("drew", "driver", "acme", []),
    "dan": ("dan", "driver", "bolt", ["job:18"]),
    "dirk": ("dirk", "driver", None, []),
}
COMPANIES = {company for _, _, company, _ in TABS.values() if company}
JOBS = ["job:17", "job:18", "job:19"]
SENDERS = ["ana", "vic", "paul", "pia", "adam", "carl", "carl 2", "cora", "dora", "dan", "dirk"]


def tabs(*, user=None, role=None, company=None, room=None):
    """Return the names of the tabs that fit all given arguments."""
    wanted = (user, role, company)
    return {
        tab
        for tab, (*who, granted) in TABS.items()
        if all(want in (None, is_) for want, is_ in zip(wanted, who, strict=True)) and (room is None or room in granted)
    }


def followers(tab):
    """Return the tabs that receive the events of the driver `tab`.

    Return None when `tab` is no driver: the server refuses its events.
    """
    _, role, company, _ = TABS[tab]
    if role != "driver":
        return None
    return tabs(role="admin") | (tabs(role="company", company=company) if company else set())


def members_but(tab, room):
    """Return the tabs that receive a message of `tab` to `room`.

    They are the room's members and the other tabs of the sender. Return None when `tab` is not in the room: the server
    refuses the message.
    """
    user, *_, granted = TABS[tab]
    return (tabs(room=room) | tabs(user=user)) - {tab} if room in granted else None


def announced_to(tab, audience):
    return audience if TABS[tab][1] == "admin" else None


def chat_to(user):
    return {"to": user, "text": "hello"}, lambda tab: (tabs(user=user) | tabs(user=TABS[tab][0])) - {tab}


def chat_in(room):
    return {"room": room, "text": "hello"}, lambda tab: members_but(tab, room)


def announcement(roles):
    audience = set().union(*(tabs(role=role) for role in roles)) if roles else set(TABS)
    payload = {"text": "hello", "level": "info"} | ({"roles": roles} if roles else {})
    return payload, lambda tab: announced_to(tab, audience)


def change_of(room, *, entitled):
    """Return a payload that joins or leaves `room`, and its audience.

    The audience is empty, or None when the server refuses the event.
    """
    return {"room": room}, lambda tab: set() if not entitled or room in TABS[tab][3] else None


def forbidden(payload):
    return payload, lambda tab: None


def fresh(server, tab):
    """Return an `auth:refresh` payload with a new token of the same user."""
    user, role, company, granted = TABS[tab]
    return {"token": server.token(user, role, rooms=granted, **({"company": company} if company else {}))}


OWN_ROOMS = ["user:ana", "role:admin", *(f"company:{company}" for company in sorted(COMPANIES))]
# each event's payloads, or what makes one for a tab, and the tabs that receive it (None: it is refused)
# an event that is not listed is checked only by its route, see `check_route`
AUDIENCE = {
    "chat:send": [
        *(chat_to(user) for user in ("ana", "carl", "adam", "dirk", "nobody")),
        *(chat_in(room) for room in JOBS),
        *(forbidden({"room": room, "text": "hello"}) for room in OWN_ROOMS),
    ],
    "tracking:update": [(POSITION, followers)],
    "driver:status": [({"status": "busy"}, followers)],
    "system:announce": [announcement(roles) for roles in (None, ["vendor"], ["admin"], ["driver", "company"])],
    "room:join": [
        *(change_of(room, entitled=True) for room in JOBS),
        *(forbidden({"room": room}) for room in OWN_ROOMS),
    ],
    # last of the rooms: the tabs have left and joined again when the next sender's turn comes
    "room:leave": [
        change_of("job:19", entitled=False),
        *(forbidden({"room": room}) for room in OWN_ROOMS),
    ],
    "auth:refresh": [({"token": "nonsense"}, lambda tab: None), (fresh, lambda tab: set())],
}
if has_part("reports"):
    AUDIENCE["report:request"] = [({"kind": "outside", "size": 1}, lambda tab: tabs(user=TABS[tab][0]))]

# the defaults, whatever the environment says
ROUTES = create_routes(create_parts(Settings.model_construct()))
ROLES = {route.event: route.roles for route in ROUTES}
EACH_ROUTE = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.event)


def first_payload(route):
    """Return a payload in the form that the route's event needs. The server may still refuse it."""
    return AUDIENCE[route.event][0][0] if route.event in AUDIENCE else example(route.payload)


def sender_of(route):
    """Return the name of a tab whose role may send this event."""
    return next(tab for tab in ("dora", *SENDERS) if TABS[tab][1] in route.roles)


@pytest_asyncio.fixture(loop_scope="session")
async def everybody(serve, connect):
    """A server, and the connected tabs of `TABS` by name."""
    server = await serve(events_per_second=10_000, chat_per_second=10_000, tracking_per_second=10_000)
    opened = {}
    for tab, (user, role, company, granted) in TABS.items():
        claims = {"rooms": granted} | ({"company": company} if company else {})
        opened[tab] = await connect(user, role, to=server, **claims)
    return server, opened


async def receivers(server, opened, event, ack):
    """Return the tabs that received a message since the last call."""
    if event == "report:request" and ack["ok"]:
        # the report is made later: the asking tab knows when
        await opened["asking"].receives("report:ready")
    everyone = {tab: client for tab, client in opened.items() if tab != "asking"}
    received = dict(zip(everyone, await server.fence(*everyone.values()), strict=True))
    return {tab for tab, messages in received.items() if messages}


async def check_route(server, opened, route):
    """Assert that an event is refused for other roles.

    Unknown keys are refused, too. The ack of an accepted event must match the route's model of the answer.
    """
    payload = example(route.payload)
    allowed = [tab for tab in SENDERS if TABS[tab][1] in ROLES[route.event]]
    for tab in SENDERS:
        code = "invalid" if tab in allowed else "forbidden"
        assert await opened[tab].code(route.event, payload | {"unknown": 1}) == code, f"{tab}: with an unknown key"
        if tab not in allowed:
            assert await opened[tab].code(route.event, payload) == "forbidden", f"{tab}: the role may send it"
    assert await receivers(server, opened, route.event, {"ok": False}) == set(), "a refused event was sent"
    for tab in allowed:
        ack = await opened[tab].ask(route.event, payload)
        if ack["ok"]:
            route.answer.model_validate(ack["data"])
        else:
            # the payload may name a room or a user that does not exist
            assert ack["error"]["code"] not in ("internal", "timeout"), f"{tab}: answered {ack}"


async def check_audience(server, opened, event):
    """Assert that each payload of an event reaches only its audience.

    Every tab of `SENDERS` sends each payload.
    """
    for tab in SENDERS:
        for made, audience in AUDIENCE[event]:
            payload = made(server, tab) if callable(made) else made
            expected, sender = audience(tab), opened[tab]
            ack = await sender.ask(event, payload)
            received = await receivers(server, opened | {"asking": sender}, event, ack)
            if event == "report:request" and ack["ok"]:
                received.add(tab)
            what = f"{event} {payload} from {tab}"
            assert ack["ok"] is (expected is not None), f"{what}: answered {ack}"
            assert received - (expected or set()) == set(), f"{what}: received by others"
            assert (expected or set()) - received == set(), f"{what}: not received by its audience"


@pytest.mark.parametrize("event", AUDIENCE)
async def test_row_27_an_event_reaches_its_audience_and_nobody_else(everybody, event):
    await check_audience(*everybody, event)


@EACH_ROUTE
async def test_row_27_an_event_keeps_to_its_route(everybody, route):
    await check_route(*everybody, route)


def test_row_27_the_table_lists_only_events_that_are_served():
    assert AUDIENCE.keys() <= {route.event for route in ROUTES}


def test_row_27_every_role_sends_every_event():
    assert {TABS[tab][1] for tab in SENDERS} == set(Role)


@pytest.fixture
def open_to_all(everybody, server, monkeypatch):
    """Let every role send every event, as without the defence.

    The servers have started before this change.
    """
    monkeypatch.setattr(type(ROUTES[0]), "roles", property(lambda route: Role))


@pytest.mark.usefixtures("open_to_all")
async def test_row_27_fails_without_its_defence(everybody):
    with pytest.raises(AssertionError, match="answered"):
        await check_audience(*everybody, "system:announce")


@pytest.mark.usefixtures("open_to_all")
@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.roles != set(Role)], ids=lambda route: route.event
)
async def test_row_27_fails_when_every_role_may_send_an_event(everybody, route):
    with pytest.raises(AssertionError, match="with an unknown key"):
        await check_route(*everybody, route)


async def check_companies(server, opened):
    for tab in ("dora", "dan"):
        await opened[tab].ask("tracking:update", POSITION)
        await opened[tab].ask("driver:status", {"status": "busy"})
    carl, cora = await server.fence(opened["carl"], opened["cora"])
    assert {data["driver"] for _, data in carl} == {"dora"}, "received another company's driver"
    assert {data["driver"] for _, data in cora} == {"dan"}, "received another company's driver"


async def test_row_28_a_company_receives_only_its_own_drivers(everybody):
    await check_companies(*everybody)


@pytest.mark.parametrize("event", ["room:join", "room:leave"])
async def test_row_28_a_company_cannot_enter_anothers_room(everybody, event):
    server, opened = everybody
    assert await opened["carl"].code(event, {"room": rooms.company_room("bolt")}) == "forbidden"
    await check_companies(server, opened)


async def test_row_28_fails_without_its_defence(everybody, monkeypatch):
    for module in (tracking, driver):
        monkeypatch.setattr(module, "followers_of", lambda driver: [rooms.company_room(name) for name in COMPANIES])
    with pytest.raises(AssertionError, match="another company's driver"):
        await check_companies(*everybody)


FORGERIES = {"from": {"id": "adam", "role": "admin"}, "driver": "dan", "at": 1, "role": "admin", "user": "adam"}
FORGERIES |= {"sender": "adam", "sub": "adam", "company": "bolt", "socket": "x", "__proto__": {"role": "admin"}}


@EACH_ROUTE
async def test_row_24_a_payload_that_names_its_sender_is_refused(everybody, route):
    server, opened = everybody
    payload, sender = first_payload(route), opened[sender_of(route)]
    codes = [await sender.code(route.event, payload | {key: value}) for key, value in FORGERIES.items()]
    assert codes == ["invalid"] * len(FORGERIES)
    assert await receivers(server, opened, route.event, {"ok": False}) == set()


async def test_row_24_the_sender_of_a_message_comes_from_the_token(server, connect):
    ana, bob = await connect("ana"), await connect("bob")
    before = int(server.application.clock() * 1000)
    await ana.ask("chat:send", {"to": "bob", "text": "I am adam"})
    message = await bob.receives("chat:message")
    assert message["from"] == {"id": "ana", "role": "vendor"}
    assert message["at"] >= before


async def check_once(server, connect):
    ana, other, bob = await connect("ana"), await connect("ana"), await connect("bob")
    message = {"to": "bob", "text": "hello", "id": "m-1"}
    acks = [await ana.ask("chat:send", message), await other.ask("chat:send", message)]
    [received] = await server.fence(bob)
    assert len(received) == 1, "delivered twice"
    assert acks[0] == acks[1]


async def test_row_29_a_duplicate_message_is_delivered_once(server, connect):
    await check_once(server, connect)


async def test_row_29_fails_without_its_defence(server, connect, monkeypatch):
    async def always(self, user, id, answer):
        return await answer()

    monkeypatch.setattr(IdempotencyCache, "once", always)
    with pytest.raises(AssertionError, match="delivered twice"):
        await check_once(server, connect)


MARKUP = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>&amp;&#60;",
    "javascript:alert(1)",
    "{{7*7}} ${7*7} <%= 7 %>",
    "' OR 1=1 -- \\u003cb\\u003e \\",
    "\u202e\u2028\u2029\ufeff\r\n\t\x1b[31m \U0001f69a \u0645\u0631\u062d\u0628\u0627 e\u0301",
]


async def check_markup(server, connect):
    adam, bob, eve = await connect("adam", "admin"), await connect("bob"), await connect("eve")
    for text in MARKUP:
        await adam.ask("chat:send", {"to": "bob", "text": text})
        assert (await bob.receives("chat:message"))["text"].encode() == text.encode(), "was changed"
        await adam.ask("system:announce", {"text": text, "level": "info"})
        assert (await bob.receives("system:announcement"))["text"].encode() == text.encode(), "was changed"
        await eve.receives("system:announcement")
    await notices_nothing(server, eve)


async def test_row_30_markup_is_delivered_byte_for_byte(server, connect):
    await check_markup(server, connect)


async def test_row_30_fails_when_markup_is_escaped(server, connect, monkeypatch):
    real = Gateway.read

    def escaped(self, route, arguments):
        payload = real(self, route, arguments)
        return payload.model_copy(update={"text": payload.text.replace("<", "&lt;")})

    monkeypatch.setattr(Gateway, "read", escaped)
    with pytest.raises(AssertionError, match="was changed"):
        await check_markup(server, connect)
