"""Tests of an authenticator of a product, in place of tokens."""

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from ...authenticator import CustomAuth
from ...errors import Invalid, TemporarilyUnavailable, TokenExpired, Unauthorized
from ...events import AUTH_EXPIRING, AUTH_REFRESH
from ...roles import Identity
from ...rooms import role_room, user_room
from ..checks import is_refused, is_served, is_turned_away
from ..stand_in import PLAIN, PRIVILEGED, topic

CANARY = "canary-5b1e"


def cookie(**headers):
    """Return the options of a client with a cookie. The client changes its headers, so they are made anew."""
    return {"headers": {"Cookie": "session=s1"} | headers}


class Cookies:
    """Identifies clients by their cookie `session`. `sessions` are the valid ones."""

    def __init__(self):
        self.sessions = {"s1": "ana"}
        self.calls = []

    async def identify(self, auth, request):
        self.calls.append((auth, request.cookies.get("session"), request.headers.get("X-Device")))
        user = self.sessions.get(request.cookies.get("session"))
        if user is None:
            raise Unauthorized(reason="no_session")
        return Identity(user, PLAIN, None)


class Failing:
    """Raises `error`, or returns `result`."""

    def __init__(self, *, error=None, result=None):
        self.error, self.result = error, result

    async def identify(self, auth, request):
        if self.error is not None:
            raise self.error
        return self.result


class Hanging:
    async def identify(self, auth, request):
        await asyncio.Event().wait()


async def test_an_authenticator_sees_payload_cookies_and_headers(serve, new_tab):
    cookies, tab = Cookies(), new_tab()
    server = await serve(authenticator=cookies)
    await tab.connect(server.url, "x", **cookie(**{"X-Device": "phone"}))
    assert cookies.calls == [({"token": "x"}, "s1", "phone")]
    assert server.members(user_room("ana")) == server.members(role_room(PLAIN)) == 1


async def test_a_client_that_it_refuses_is_in_no_room(serve, dial):
    server = await serve(authenticator=Cookies())
    with capture_logs() as entries:
        await is_refused(server, await dial(to=server, headers={"Cookie": "session=old"}), None)
    assert [entry["reason"] for entry in entries if entry["event"] == "refused"] == ["no_session"]


async def test_a_session_without_expiry_is_served_and_never_warned(serve, new_tab, clock):
    server, tab = await serve(authenticator=Cookies(), clock=clock), new_tab()
    await tab.connect(server.url, None, **cookie())
    clock.advance(10 * 365 * 24 * 3600)
    assert await is_served(tab)
    assert AUTH_EXPIRING not in [event for [received] in [await server.fence(tab)] for event, _ in received]


async def test_a_refresh_of_a_cookie_session_is_invalid(serve, new_tab):
    cookies, tab = Cookies(), new_tab()
    server = await serve(authenticator=cookies)
    await tab.connect(server.url, None, **cookie())
    assert await tab.code(AUTH_REFRESH, {"token": "x"}) == "invalid"
    assert cookies.calls[-1] == ({"token": "x"}, "s1", None)
    assert await is_served(tab)


@pytest.mark.parametrize(
    ("error", "code"),
    [(Invalid("no"), "invalid"), (Unauthorized(), "unauthorized"), (TemporarilyUnavailable(), "busy")],
    ids=repr,
)
async def test_a_refusal_of_a_refresh_is_its_answer(serve, new_tab, error, code):
    failing, tab = Failing(result=Identity("ana", PLAIN, None)), new_tab()
    server = await serve(authenticator=failing)
    await tab.connect(server.url, None)
    failing.error = error
    assert await tab.code(AUTH_REFRESH, {"token": "x"}) == code
    assert await is_served(tab)


async def test_a_refresh_may_change_role_and_expiry(serve, new_tab, clock):
    own, tab = Failing(result=Identity("ana", PRIVILEGED, clock.now + 60)), new_tab()
    server = await serve(authenticator=own, clock=clock)
    await tab.connect(server.url, None)
    own.result = Identity("ana", PLAIN, clock.now + 120)
    ack = await tab.ask(AUTH_REFRESH, {"token": "x"})
    assert ack["data"] == {"expires_at": int((clock.now + 120) * 1000)}
    assert (server.members(role_room(PRIVILEGED)), server.members(role_room(PLAIN))) == (0, 1)


async def test_a_refresh_to_another_user_is_refused(serve, new_tab, clock):
    own, tab = Failing(result=Identity("ana", PLAIN, clock.now + 60)), new_tab()
    server = await serve(authenticator=own, clock=clock)
    await tab.connect(server.url, None)
    own.result = Identity("eve", PLAIN, clock.now + 60)
    assert await tab.code(AUTH_REFRESH, {"token": "x"}) == "unauthorized"
    assert server.members(user_room("eve")) == 0


NOT_AN_IDENTITY = [None, True, {"user": "ana"}, "ana", ("ana", PLAIN, None)]


@pytest.mark.parametrize("result", NOT_AN_IDENTITY, ids=repr)
async def test_a_result_that_is_no_identity_admits_nobody(serve, dial, result):
    server = await serve(authenticator=Failing(result=result))
    await is_refused(server, await dial(to=server), {"token": "x"}, "internal")


@pytest.mark.parametrize("error", [RuntimeError(CANARY), KeyError(CANARY), StopAsyncIteration(), TypeError()], ids=repr)
async def test_any_other_error_is_internal_and_logged(serve, dial, error):
    seen = []
    server = await serve(authenticator=Failing(error=error), on_error=lambda error, **_: seen.append(error))
    with capture_logs() as entries:
        wire = await dial(to=server)
        await wire.send('40{"token":"x"}')
        answer = await wire.frame()
    assert json.loads(answer[2:])["data"]["code"] == "internal"
    assert CANARY not in answer
    assert [entry["event"] for entry in entries if entry["log_level"] == "error"] == ["failed"]
    assert [type(each) for each in seen] == [type(error)]


@pytest.mark.parametrize("error", [Unauthorized(), TokenExpired(), asyncio.CancelledError()], ids=repr)
async def test_a_permanent_refusal_is_a_connect_error(serve, dial, error):
    server = await serve(authenticator=Failing(error=error))
    await is_refused(server, await dial(to=server), None, getattr(error, "code", "unauthorized"))


async def test_temporary_trouble_closes_without_a_connect_error(serve, dial):
    server = await serve(authenticator=Failing(error=TemporarilyUnavailable(reason="store_away")))
    await is_turned_away(server, await dial(to=server), None)


async def test_a_check_that_hangs_is_refused_at_the_deadline(serve, dial):
    server = await serve(authenticator=Hanging(), handshake_seconds=0.5)
    await is_refused(server, await dial(to=server), None)


WRONG = [
    {"user": "a b"},
    {"user": "x" * 129},
    {"user": "ana\n"},
    {"user": 7},
    {"role": str(PLAIN)},
    {"company": "a|b"},
    {"topic_rooms": (user_room("bob"),)},
    {"topic_rooms": topic("17")},
    {"topic_rooms": (topic("17\n"),)},
    {"expires_at": float("nan")},
]


@pytest.mark.parametrize("changes", WRONG, ids=repr)
def test_an_identity_is_well_formed(changes):
    with pytest.raises(ValueError, match="identity"):
        Identity(**({"user": "ana", "role": PLAIN, "expires_at": None} | changes))


async def test_optional_members_have_defaults():
    auth = CustomAuth(Cookies())
    await auth.start()
    await auth.drain()
    await auth.stop()
    assert (auth.is_ready, auth.is_degraded) == (True, False)


class Managed(Cookies):
    """An authenticator with all optional members."""

    is_ready, is_degraded = True, False

    def __init__(self):
        super().__init__()
        self.steps = []

    async def start(self):
        self.steps.append("start")

    async def stop(self):
        self.steps.append("stop")


async def test_an_authenticator_starts_and_stops_once(serve, new_tab):
    managed, tab = Managed(), new_tab()
    server = await serve(authenticator=managed)
    await tab.connect(server.url, None, **cookie())
    assert managed.steps == ["start"]
    await server.ended()
    assert managed.steps == ["start", "stop"]


async def test_the_readiness_of_an_authenticator_is_shown(serve, http):
    managed = Managed()
    server = await serve(authenticator=managed)
    words = []
    for state in ({"is_ready": True}, {"is_degraded": True}, {"is_ready": False}):
        managed.__dict__.update(state)
        async with http.get(f"{server.internal_url}/readyz") as answer:
            words.append((answer.status, (await answer.text()).strip()))
    assert words == [(200, "ready"), (200, "degraded"), (503, "keyless")]
