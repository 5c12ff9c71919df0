"""Tests of rows 1 to 11 of `WITHSTANDS.md`: who a client is."""

import asyncio
import json
import logging

import jwt
import pytest
import pytest_asyncio
from aiohttp import web
from structlog.testing import capture_logs

from ... import auth
from ...admission import age_seconds
from ...events import AUTH_EXPIRING, AUTH_REFRESH
from ...gateway import Gateway
from ...handlers import session
from ...roles import Identity, Role
from ...rooms import role_room, user_room
from ...settings import DEVELOPMENT_SECRET
from ..checks import AT_ONCE_SECONDS, is_refused, is_turned_away, notices_nothing
from ..package import SERVER
from ..server_processes import start
from ..stand_in import NOTE_RECEIVED, NOTE_SEND, NOTICE_PUBLISH, PIN_SET, PLAIN, PRIVILEGED, topic
from ..tokens import (
    LIFE_SECONDS,
    PRODUCTION_ENVIRONMENT,
    SECRET,
    hmac_with_public_key,
    new_keys,
    with_header,
)
from ..waiting import PROCESS_SECONDS
from ..wire import upgraded

LEEWAY_SECONDS = 5
TEN_YEARS_SECONDS = 10 * 365 * 24 * 3600
CANARY = "canary-7f3a"
NOTE = {"to": "ana", "text": "note"}


@pytest.fixture(scope="module")
def keys():
    """The RSA keys of the service that issues valid tokens."""
    return new_keys()


@pytest.fixture(scope="module")
def thief():
    """The RSA keys of an attacker."""
    return new_keys()


@pytest_asyncio.fixture(loop_scope="session")
async def publisher():
    """`await publisher(text)` starts a web server that sends `text`.

    It returns the URL of that server, and a list of the paths that were requested from it.
    """
    runners = []

    async def start(text):
        asked = []

        async def answer(request):
            asked.append(request.path)
            return web.Response(text=text)

        runners.append(web.ServerRunner(web.Server(answer)))
        await runners[-1].setup()
        await web.TCPSite(runners[-1], "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runners[-1].addresses[0][1]}/keys", asked

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
def all_refused(connect, dial):
    """`await all_refused(server, tokens, code)` asserts that the server refuses every token.

    The uninvolved user bob is not affected.
    """

    async def check(server, tokens, code="unauthorized", *, bystander=None):
        bob = await connect("bob", to=server, token=bystander)
        wires = [await dial(to=server) for _ in tokens]
        auths = [{"token": token} for token in tokens]
        refused = [is_refused(server, wire, auth, code) for wire, auth in zip(wires, auths, strict=True)]
        await asyncio.gather(*refused)
        await notices_nothing(server, bob)

    return check


async def test_row_01_a_token_without_our_signature_is_refused(server, all_refused):
    good = server.signed()
    header, payload, signature = good.split(".")
    privileged = server.signed(role=PRIVILEGED).split(".")[1]
    changed = [f"{header}.{privileged}.{signature}", f"{header}.{payload}.", f"{header}.{payload}.{signature[:-4]}AAAA"]
    unsigned = [with_header(f"{header}.{payload}.{end}", alg=alg) for alg in ("none", "None") for end in ("", "AAAA")]
    others = [
        server.signed(key="k" * 48, algorithm="HS384"),
        server.signed(key="k" * 64),
        with_header(good, alg="RS256"),
    ]
    await all_refused(server, changed + unsigned + others)


async def test_row_01_an_hmac_made_with_the_public_key_is_refused(serve, all_refused, keys):
    private, public, _ = keys
    server = await serve(jwt_public_key=public, jwt_algorithms="RS256")
    bystander = server.signed(key=private, algorithm="RS256", sub="bob")
    payload = server.signed(key=private, algorithm="RS256").split(".")[1]
    forged = hmac_with_public_key(payload, public)
    await all_refused(server, [forged], bystander=bystander)


async def test_row_01_fails_without_its_defence(server, all_refused, monkeypatch):
    real, unverified = jwt.PyJWT.decode_complete, {"verify_signature": False}
    monkeypatch.setattr(
        jwt.PyJWT, "decode_complete", lambda self, token, *_, **__: real(self, token, options=unverified)
    )
    with pytest.raises(AssertionError, match="was not refused"):
        await all_refused(server, [server.signed(key="k" * 64)])


def with_keys_of_their_own(server, thief, url):
    """Return forged tokens whose headers hold a key or name one."""
    private, _, jwk = thief
    brought = [{"jwk": jwk}, {"jku": url}, {"x5u": url}, {"x5c": [url]}, {"jku": url, "jwk": jwk, "kid": "one"}]
    odd = [{"kid": kid} for kid in ("../../../../dev/null", "' OR 1=1 --", url, "x" * 4000, "\x00", "\n")]
    tokens = [server.signed(key=private, algorithm="RS256", headers=headers) for headers in brought + odd]
    return tokens + [with_header(tokens[0], alg="RS256", kid=kid) for kid in (7, ["one"], {"one": 1}, True)]


def has_key_id(token):
    try:
        return bool(jwt.get_unverified_header(token).get("kid"))
    except jwt.PyJWTError:
        return False


@pytest.mark.parametrize("by", ["secret", "public key", "published keys"])
async def test_row_02_keys_that_a_header_names_are_never_fetched(serve, all_refused, dial, keys, thief, publisher, by):
    url, asked = await publisher(json.dumps({"keys": [thief[2] | {"kid": "one"}]}))
    issuer, asked_of_issuer = await publisher(json.dumps({"keys": [keys[2] | {"kid": "good", "use": "sig"}]}))
    given = {"public key": {"jwt_public_key": keys[1]}, "published keys": {"jwt_jwks_url": issuer}}.get(by, {})
    server = await serve(**given | ({"jwt_algorithms": "RS256"} if given else {}))
    by_private_key = {"key": keys[0], "algorithm": "RS256", "headers": {"kid": "good"}} if given else {}
    # in a thread, as a signature by a private key blocks the loop
    bystander = await asyncio.to_thread(server.signed, sub="bob", **by_private_key)
    forged = await asyncio.to_thread(with_keys_of_their_own, server, thief, url)
    # the issuer may know a key with this id a moment later
    unknown = [token for token in forged if by == "published keys" and has_key_id(token)]
    await all_refused(server, [token for token in forged if token not in unknown], bystander=bystander)
    for token in unknown:
        await is_turned_away(server, await dial(to=server), {"token": token})
    assert asked == []
    # one request at the start; unknown key ids cause no further request in the cool-down
    assert len(asked_of_issuer) == (by == "published keys")


WRONG_STARTS = {
    "no secret": ({"SERVER_ENV": "production"}, "SERVER_JWT_SECRET"),
    "a short one": (PRODUCTION_ENVIRONMENT | {"SERVER_JWT_SECRET": SECRET[:31]}, "SERVER_JWT_SECRET"),
    "a short one in development": ({"SERVER_JWT_SECRET": SECRET[:31]}, "SERVER_JWT_SECRET"),
    "a placeholder": (PRODUCTION_ENVIRONMENT | {"SERVER_JWT_SECRET": "changeme" * 5}, "SERVER_JWT_SECRET"),
    "the published one": (PRODUCTION_ENVIRONMENT | {"SERVER_JWT_SECRET": DEVELOPMENT_SECRET}, "SERVER_JWT_SECRET"),
    "a public key that is none": (
        {"SERVER_JWT_PUBLIC_KEY": "key", "SERVER_JWT_ALGORITHMS": "RS256"},
        "SERVER_JWT_PUBLIC_KEY",
    ),
    "keys from a file": (
        {"SERVER_JWT_JWKS_URL": "file:///etc/passwd", "SERVER_JWT_ALGORITHMS": "RS256"},
        "SERVER_JWT_JWKS_URL",
    ),
}


@pytest.mark.parametrize("why", WRONG_STARTS)
async def test_row_03_a_weak_key_stops_the_start(why):
    settings, named = WRONG_STARTS[why]
    process = await start(*SERVER, **settings)
    printed, errors = await asyncio.wait_for(process.communicate(), PROCESS_SECONDS)
    assert (process.returncode, printed) == (2, b"")
    assert errors.count(b"\n") == 1
    assert named in errors.decode()


async def check_times(server, all_refused):
    now = int(server.application.clock())
    limit = server.settings.token_life_seconds
    odd = [{"exp": None}, {"exp": str(now + 60)}, {"exp": True}, {"exp": 1e308}, {"exp": now + TEN_YEARS_SECONDS}]
    late = [{"exp": int(now + limit) + LEEWAY_SECONDS + 1}]
    early = [{"iat": now + LEEWAY_SECONDS + 1}, {"nbf": now + 60}, {"nbf": "soon"}, {"iat": str(now)}, {"iat": None}]
    await all_refused(server, [server.signed(**changes) for changes in odd + late + early])


async def test_row_04_implausible_times_are_refused(serve, all_refused, clock):
    await check_times(await serve(clock=clock), all_refused)


async def test_row_04_an_expired_token_has_a_code_of_its_own(serve, all_refused, clock):
    server = await serve(clock=clock)
    gone = [server.signed(exp=int(clock.now) - ago) for ago in (LEEWAY_SECONDS, LEEWAY_SECONDS + 1, 3600)]
    await all_refused(server, gone, "token_expired")


async def test_row_04_within_the_leeway_a_token_allows_a_refresh_only(serve, connect, clock):
    server = await serve(clock=clock)
    late = server.signed(exp=int(clock.now) - LEEWAY_SECONDS + 1)
    ana = await connect("ana", to=server, token=late)
    assert await ana.code(NOTE_SEND, NOTE) == "token_expired"
    assert (await ana.ask(AUTH_REFRESH, {"token": server.token("ana")}))["ok"]
    assert (await ana.ask(NOTE_SEND, NOTE))["ok"]


@pytest.mark.parametrize("claim", ["iat", "nbf"])
async def test_row_04_a_token_from_a_slightly_fast_clock_is_accepted(serve, connect, clock, claim):
    server = await serve(clock=clock)
    ana = await connect("ana", to=server, token=server.signed(**{claim: int(clock.now) + LEEWAY_SECONDS - 1}))
    assert (await ana.ask(NOTE_SEND, NOTE))["ok"]


async def test_row_04_fails_without_its_defence(serve, all_refused, clock, monkeypatch):
    monkeypatch.setattr(auth.TokenAuth, "_verify", lambda self, token, key: self._claims(token, key).identity())
    with pytest.raises(AssertionError, match="was not refused"):
        await check_times(await serve(clock=clock), all_refused)


async def check_issuer_and_audience(server, all_refused):
    ours, issuer = server.settings.jwt_audience[0], server.settings.jwt_issuer
    audiences = [{"aud": aud} for aud in ("other", "", None, [], ["other", ours], [ours, "x"])]
    issuers = [{"iss": iss} for iss in ("other", "", None, f"{issuer}/", [issuer])]
    await all_refused(server, [server.signed(**changes) for changes in audiences + issuers])


async def test_row_05_another_audience_or_issuer_is_refused(server, all_refused):
    await check_issuer_and_audience(server, all_refused)


async def test_row_05_fails_without_its_defence(server, all_refused, monkeypatch):
    monkeypatch.setattr(auth, "names_only", lambda audience, accepted: accepted[0] in (audience or ()))
    with pytest.raises(AssertionError, match="was not refused"):
        await check_issuer_and_audience(server, all_refused)


async def check_kinds(server, all_refused):
    kinds = ["JWT", "id+jwt", "rt+jwt", "", None, 7, "at+jwt ", "application/id+jwt"]
    await all_refused(server, [server.signed(headers={"typ": kind}) for kind in kinds])


async def test_row_06_another_kind_of_token_is_refused(server, all_refused):
    await check_kinds(server, all_refused)


async def test_row_06_fails_without_its_defence(server, all_refused, monkeypatch):
    real = jwt.PyJWT.decode_complete

    def any_kind(*args, **named):
        decoded = real(*args, **named)
        return decoded | {"header": decoded["header"] | {"typ": "at+jwt"}}

    monkeypatch.setattr(jwt.PyJWT, "decode_complete", any_kind)
    with pytest.raises(AssertionError, match="was not refused"):
        await check_kinds(server, all_refused)


async def check_claims(server, all_refused):
    users = [{"sub": sub} for sub in ("", None, "x" * 129, "a b", "ana\n", "ana:b", "\u0430na", 7, ["ana"], {})]
    odd = ("", None, "root", PRIVILEGED.swapcase(), [PRIVILEGED], {PRIVILEGED: 1}, 1, True)
    roles = [{"role": role} for role in odd]
    one = topic("1")
    granted = [{"rooms": rooms} for rooms in (one, [user_room("bob")], [topic("")], [one] * 17, [[one]])]
    await all_refused(server, [server.signed(**changes) for changes in users + roles + granted])


async def test_row_07_malformed_claims_are_refused(server, all_refused):
    await check_claims(server, all_refused)


async def test_row_07_a_huge_token_is_refused(server, all_refused):
    await all_refused(server, [server.signed(jti="x" * 8 * 1024), "[" * 9000, "a.b.c", "\x00", "", 7, None])


@pytest.mark.parametrize("given", [None, [], ["x"], "x", 7, True, {}, {"token": {}}, {"jwt": "x"}], ids=repr)
async def test_row_07_auth_that_is_no_object_is_refused(server, dial, connect, given):
    bob = await connect("bob")
    await is_refused(server, await dial(), given)
    await notices_nothing(server, bob)


async def test_row_07_fails_without_its_defence(server, all_refused, monkeypatch):
    def accept(claims):
        return auth.Claims.model_construct(**claims | {"role": Role(claims["role"])})

    monkeypatch.setattr(auth.Claims, "model_validate", accept)
    with pytest.raises(AssertionError, match="was not refused"):
        await all_refused(server, [server.signed(rooms=[topic("1")] * 17)])


@pytest.fixture
def written(caplog):
    """`written()` returns everything that was logged during the test."""
    caplog.set_level(logging.INFO)
    with capture_logs() as entries:
        yield lambda: caplog.text + repr(entries)


async def raw_request(server, line):
    """Send a request line as it is. Return the first line of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(f"{line}\r\nHost: localhost\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.readline(), PROCESS_SECONDS)
    writer.close()
    await writer.wait_closed()
    return answer.decode()


async def test_row_08_a_token_in_the_url_opens_nothing(server, dial, connect):
    bob = await connect("bob")
    token = server.signed()
    for extra in (f"&token={token}", f"&auth={token}&access_token={token}", f"#token={token}"):
        wire = await dial(path=extra)
        await is_refused(server, wire, {})
    wire = await dial(headers={"Authorization": f"Bearer {token}", "Cookie": f"token={token}"})
    await is_refused(server, wire, None)
    await notices_nothing(server, bob)


async def test_row_08_a_token_in_the_url_is_in_no_log(server, dial, http, written):
    path = f"/socket.io/?EIO=4&token={CANARY}&transport="
    for origin, transport, status in (
        ("https://evil.example", "websocket", 403),
        (server.url, "polling", 400),
        (server.url, "websocket", 101),
    ):
        assert (await upgraded(http, server, path=path + transport, Origin=origin))[0] == status
    assert " 400 " in await raw_request(server, f"GET {path}websocket HTTP/9.9")
    assert " 400 " in await raw_request(server, f"GET {path} websocket HTTP/1.1")
    assert " 404 " in await raw_request(server, f"GET /elsewhere?token={CANARY} HTTP/1.1")
    wire = await dial(path=f"&token={CANARY}")
    await is_refused(server, wire, {"token": CANARY})
    assert "refused" in written()
    assert CANARY not in written()


async def test_row_08_a_token_in_a_failed_check_is_in_no_log(server, dial, written, monkeypatch):
    def broken(token, key):
        raise RuntimeError("the key store is away")

    monkeypatch.setattr(server.application.guards.auth, "_verify", broken)
    await is_refused(server, await dial(path=f"&token={CANARY}"), {"token": CANARY}, "internal")
    assert "the key store is away" in written()
    assert CANARY not in written()


async def check_ending(server, connect, clock):
    ana, bob = await connect("ana", to=server, life_seconds=LIFE_SECONDS), await connect("bob", to=server)
    clock.advance(LIFE_SECONDS - server.settings.expiry_notice_seconds + 1)
    assert (await ana.receives(AUTH_EXPIRING))["expires_in"] > 0
    clock.advance(server.settings.expiry_notice_seconds - 1)
    assert await ana.code(NOTE_SEND, NOTE) == "token_expired"
    clock.advance(server.settings.expiry_grace_seconds + 1)
    async with asyncio.timeout(AT_ONCE_SECONDS):
        await ana.closed.wait()
    assert server.members(user_room("ana")) == 0
    await notices_nothing(server, bob)


async def test_row_09_an_expired_session_is_warned_then_closed(serve, connect, clock):
    await check_ending(await serve(clock=clock), connect, clock)


async def test_row_09_fails_without_its_defence(serve, connect, clock):
    server = await serve(clock=clock)
    server.gateway._expiry._grace_seconds = 3600
    with pytest.raises(TimeoutError):
        await check_ending(server, connect, clock)


async def check_lesser_role(server, connect):
    tab, dora = await connect("ana", PRIVILEGED), await connect("dora", PRIVILEGED)
    assert (await tab.ask(AUTH_REFRESH, {"token": server.token("ana", PLAIN)}))["ok"]
    await dora.ask(PIN_SET, {"lat": 0, "lng": 0})
    assert await server.fence(tab) == [[]], "still receives the messages of the old role"
    assert await tab.code(NOTICE_PUBLISH, {"text": "hello"}) == "forbidden"
    assert (server.members(role_room(PRIVILEGED)), server.members(role_room(PLAIN))) == (1, 1)


async def test_row_10_a_refresh_to_a_lesser_role_leaves_the_old_rooms(server, connect):
    await check_lesser_role(server, connect)


async def test_row_10_a_refresh_to_another_user_is_refused(server, connect):
    tab, bob, eve = await connect("ana"), await connect("bob"), await connect("eve", PRIVILEGED)
    for role in (PLAIN, PRIVILEGED):
        assert await tab.code(AUTH_REFRESH, {"token": server.token("eve", role)}) == "unauthorized"
    rooms = (user_room("eve"), role_room(PRIVILEGED), role_room(PLAIN))
    assert [server.members(room) for room in rooms] == [1, 1, 2]
    await eve.ask(NOTE_SEND, {"to": "ana", "text": "hello"})
    assert (await tab.receives(NOTE_RECEIVED))["sender"] == "eve"
    await notices_nothing(server, bob)


async def test_row_10_fails_without_its_defence(server, connect, monkeypatch):
    monkeypatch.setattr(session, "base_rooms", lambda identity: ())
    with pytest.raises(AssertionError, match="still receives the messages of the old role"):
        await check_lesser_role(server, connect)


async def hangs(auth, request):
    await asyncio.Event().wait()


async def raises(auth, request):
    raise RuntimeError("the key store is away")


async def is_cancelled(auth, request):
    raise asyncio.CancelledError


CHECKS = {
    "hangs": (hangs, "unauthorized"),
    "raises": (raises, "internal"),
    "is cancelled": (is_cancelled, "unauthorized"),
}


async def check_nothing_left(server, connect, dial, until, monkeypatch, how):
    identify, code = CHECKS[how]
    bob = await connect("bob", to=server)
    wire = await dial(to=server)
    environ = list(server.sio.environ.values())[-1]
    # the deadline of the check starts now, not with the handshake
    await until(lambda: age_seconds(environ) > 0.1)
    monkeypatch.setattr(server.application.guards.auth, "identify", identify)
    await wire.send('40{"token":"x"}')
    # sent to everyone in a room: a client under check must not receive it
    await server.fence(bob)
    answer = await wire.frame() or "closed without an answer"
    assert answer.startswith("44"), f"was not refused: {answer}"
    assert json.loads(answer[2:])["data"]["code"] == code
    assert await wire.is_closed()
    await until(lambda: len(server.sio.environ) == len(server.sio.eio.sockets) == 1)
    assert server.members(None) == 1
    await notices_nothing(server, bob)


@pytest.mark.parametrize("how", CHECKS)
async def test_row_11_an_auth_check_that_fails_admits_nobody(serve, connect, dial, until, monkeypatch, how):
    # long enough that CONNECT arrives before the deadline of the handshake, also on a busy machine
    server = await serve(**({"handshake_seconds": 2} if how == "hangs" else {}))
    await check_nothing_left(server, connect, dial, until, monkeypatch, how)


async def test_row_11_a_disconnect_during_the_check_joins_no_room(server, connect, dial, until, monkeypatch):
    began, go_on = asyncio.Event(), asyncio.Event()

    async def slow(auth, request):
        began.set()
        await go_on.wait()
        return Identity("ana", PRIVILEGED, server.application.clock() + LIFE_SECONDS)

    bob, wire = await connect("bob"), await dial()
    monkeypatch.setattr(server.application.guards.auth, "identify", slow)
    await wire.send('40{"token":"x"}')
    await began.wait()
    # held here, because the server may forget the request as soon as its connection is lost
    request = list(server.sio.environ.values())[-1]["aiohttp.request"]
    wire.websocket._response.connection.transport.abort()
    await until(lambda: request.transport is None)
    go_on.set()
    await until(lambda: len(server.sio.environ) == server.members(None) == 1)
    rooms = (None, user_room("ana"), role_room(PRIVILEGED))
    assert [server.members(room) for room in rooms] == [1, 0, 0]
    await notices_nothing(server, bob)


async def test_row_11_fails_without_its_defence(serve, connect, dial, until, monkeypatch):
    real = Gateway._admit

    async def admit(self, sid, environ, auth):
        try:
            await self.guards.auth.identify(auth, None)
        except asyncio.CancelledError:
            return Identity("ana", PLAIN, 0)
        return await real(self, sid, environ, auth)

    monkeypatch.setattr(Gateway, "_admit", admit)
    with pytest.raises(AssertionError, match="was not refused"):
        await check_nothing_left(await serve(), connect, dial, until, monkeypatch, "is cancelled")
