"""Tests of the issuer's keys: row 47 of `WITHSTANDS.md`.

The issuer is away, slow or failing.
"""

import asyncio
import json
import socket
import threading
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from ... import dns, key_set, signing_keys
from ...errors import TemporarilyUnavailable
from ...events import AUTH_REFRESH
from ...observability import Metrics
from ...rooms import user_room
from ...settings import Settings, SettingsError, load_settings
from ..checks import is_refused, is_turned_away, notices_nothing
from ..issuer import ALGORITHM, private_key, public_jwk, running_issuer
from ..server_processes import serving
from ..tokens import SECRET, new_keys, signed
from ..waiting import WAIT_SECONDS, until
from ..wire import bare

LONG_SECONDS = 3600.0
STRANGERS = 100
CANARY = "canary-7f3a"


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Fetch again after short pauses."""
    monkeypatch.setattr(signing_keys, "COOLDOWN_SECONDS", 0.05)
    monkeypatch.setattr(signing_keys, "REFRESH_SECONDS", 0.1)
    monkeypatch.setattr(signing_keys, "FIRST_RETRY_SECONDS", 0.05)


@pytest.fixture
def seldom(monkeypatch):
    """Fetch only when a token asks for it, and then not again."""
    monkeypatch.setattr(signing_keys, "COOLDOWN_SECONDS", LONG_SECONDS)
    monkeypatch.setattr(signing_keys, "REFRESH_SECONDS", LONG_SECONDS)


@pytest_asyncio.fixture(loop_scope="session")
async def issuer():
    async with running_issuer() as issuer:
        yield issuer


@pytest.fixture
def served(serve, issuer):
    """`await served()` starts a server that has the issuer's keys."""

    async def start(**settings):
        server = await serve(**issuer.settings, **settings)
        await until(lambda: server.application.guards.auth.is_ready)
        return server

    return start


async def readiness(http, server):
    async with http.get(server.internal_url + "/readyz") as answer:
        return answer.status, (await answer.text()).strip()


def value(server, name, **labels):
    return server.application.guards.metrics.registry.get_sample_value(name, labels) or 0


async def may_fetch(server):
    """Wait until an unknown key may cause a fetch."""
    await until(lambda: not server.application.guards.auth._published._is_resting)


async def go_away(issuer):
    await issuer.leave()


async def answer_500(issuer):
    issuer.status = 500


async def hang(issuer):
    issuer.is_slow = True


async def redirect(issuer):
    issuer.status = 302


async def publish_html(issuer):
    issuer.text = "<html>"


async def publish_nothing(issuer):
    issuer.text = '{"keys": []}'


async def publish_a_list(issuer):
    issuer.text = "[" * 5000


async def publish_too_much(issuer):
    issuer.text = " " * (key_set.MOST_BYTES + 1)


TROUBLES = {
    "unreachable": go_away,
    "status": answer_500,
    "timeout": hang,
    "malformed": publish_html,
    "no_keys": publish_nothing,
    "too_large": publish_too_much,
}


@pytest.mark.parametrize("cause", TROUBLES)
async def test_row_47_known_keys_serve_while_the_issuer_is_in_trouble(
    served, issuer, connect, http, monkeypatch, cause
):
    monkeypatch.setattr(key_set, "FETCH_SECONDS", 0.1)
    server = await served()
    await TROUBLES[cause](issuer)
    # many refreshes later, which are five minutes apart in production
    await until(lambda: value(server, "server_key_fetches_total", outcome=cause) >= 3)
    ana = await connect("ana", to=server, token=issuer.token(server))
    await notices_nothing(server, ana)
    assert await readiness(http, server) == (200, "degraded")
    assert value(server, "server_keys_up") == 0


@pytest.mark.parametrize("trouble", [redirect, publish_a_list], ids=lambda trouble: trouble.__name__)
async def test_no_other_answer_replaces_the_known_keys(served, issuer, connect, trouble):
    server = await served()
    await trouble(issuer)
    await until(lambda: server.application.guards.auth.is_degraded)
    assert await connect("ana", to=server, token=issuer.token(server))
    assert len({request["Host"] for request in issuer.asked}) == 1


@pytest.mark.parametrize("cause", TROUBLES)
async def test_row_47_without_any_keys_clients_are_refused_for_now(serve, issuer, dial, http, monkeypatch, cause):
    monkeypatch.setattr(key_set, "FETCH_SECONDS", 0.1)
    await TROUBLES[cause](issuer)
    server = await serve(**issuer.settings)
    await until(lambda: value(server, "server_key_fetches_total", outcome=cause) >= 1)
    with capture_logs() as logs:
        await is_turned_away(server, await dial(to=server), {"token": issuer.token(server)})
    assert [entry["reason"] for entry in logs if entry["event"] == "refused"] == ["keys_away"]
    assert await readiness(http, server) == (503, "keyless")


async def test_row_47_an_issuer_that_comes_late_is_found(serve, issuer, connect, http):
    await issuer.leave()
    server = await serve(**issuer.settings)
    await until(lambda: value(server, "server_key_fetches_total", outcome="unreachable") >= 1)
    await issuer.come()
    await until(lambda: server.application.guards.auth.is_ready)
    assert await connect("ana", to=server, token=issuer.token(server))
    assert await readiness(http, server) == (200, "ready")


async def test_a_client_waits_for_the_first_keys(serve, issuer, connect):
    server = await serve(**issuer.settings)
    assert await connect("ana", to=server, token=issuer.token(server))


async def test_row_47_a_rotated_key_is_fetched_at_once(served, issuer, connect, monkeypatch):
    monkeypatch.setattr(signing_keys, "REFRESH_SECONDS", LONG_SECONDS)
    server = await served()
    issuer.publish("one", "two")
    await may_fetch(server)
    assert await connect("ana", to=server, token=issuer.token(server, key_id="two"))
    assert await connect("bob", to=server, token=issuer.token(server, "bob"))
    assert len(issuer.asked) == 2


async def test_row_47_a_key_that_is_not_known_yet_is_refused_for_now(served, issuer, dial, connect, seldom):
    server = await served()
    issuer.publish("one", "two")
    with capture_logs() as logs:
        await is_turned_away(server, await dial(to=server), {"token": issuer.token(server, key_id="two")})
    assert [entry["reason"] for entry in logs if entry["event"] == "refused"] == ["key_pending"]
    assert await connect("bob", to=server, token=issuer.token(server, "bob"))
    assert len(issuer.asked) == 1


async def test_row_47_a_stock_client_comes_back_with_a_rotated_key(served, issuer, connect, monkeypatch):
    monkeypatch.setattr(signing_keys, "COOLDOWN_SECONDS", 0.5)
    monkeypatch.setattr(signing_keys, "REFRESH_SECONDS", LONG_SECONDS)
    server, key_id = await served(), "one"
    client = {"reconnection": True, "reconnection_delay": 0.1, "randomization_factor": 0}
    ana = await connect("ana", to=server, client=client, token=lambda: {"token": issuer.token(server, key_id=key_id)})
    issuer.publish("two")
    key_id = "two"
    [sid] = server.gateway.sids_in(user_room("ana"))
    server.gateway.close(sid)
    assert await ana.is_closed()
    assert await ana.is_back()
    assert value(server, "server_refusals_total", where="connect", reason="key_pending") >= 1
    assert not ana.refusal.done()


async def test_a_key_that_the_issuer_does_not_have_is_refused_for_good(served, issuer, dial):
    server = await served()
    with capture_logs() as logs:
        # refused for now while a fetch is not allowed yet
        while not any(entry.get("reason") == "key" for entry in logs):
            wire = await dial(to=server)
            await wire.send("40" + json.dumps({"token": issuer.token(server, key_id="unknown")}))
            answer = await wire.frame()
            assert answer is None or json.loads(answer[2:])["data"]["code"] == "unauthorized"
    assert answer is not None


async def test_a_withdrawn_key_is_refused_after_the_next_fetch(served, issuer, dial):
    server = await served()
    token = issuer.token(server)
    issuer.publish("two")
    fetches = len(issuer.asked)
    await until(lambda: len(issuer.asked) >= fetches + 2)
    wire = await dial(to=server)
    await wire.send("40" + json.dumps({"token": token}))
    assert not (await wire.frame() or "").startswith("40")
    assert server.members(user_room("ana")) == 0


async def strangers_and_users(server, issuer, connect):
    """Return how many strangers were accepted, after eight users connected meanwhile."""
    async with AsyncExitStack() as stack:
        # not from the client library, whose session opens at most a hundred connections
        wires = [await stack.enter_async_context(bare(server.url)) for _ in range(STRANGERS)]
        for number, wire in enumerate(wires):
            headers = {"kid": f"unknown-{number}"}
            token = server.signed(key=private_key("unknown"), algorithm=ALGORITHM, headers=headers)
            wire.send("40" + json.dumps({"token": token}))
        users = [f"user-{number}" for number in range(8)]
        await asyncio.gather(*(connect(user, to=server, token=issuer.token(server, user)) for user in users))
        assert [server.members(user_room(user)) for user in users] == [1] * len(users)
        answers = await asyncio.gather(*(wire.frame() for wire in wires))
    return sum((answer or "").startswith("40") for answer in answers)


@pytest.mark.parametrize("trouble", [None, answer_500, hang], ids=["well", "failing", "slow"])
async def test_row_47_a_hundred_unknown_keys_cause_one_fetch(served, issuer, connect, monkeypatch, trouble):
    monkeypatch.setattr(signing_keys, "REFRESH_SECONDS", LONG_SECONDS)
    monkeypatch.setattr(key_set, "FETCH_SECONDS", 1.0)
    server = await served(connects_per_second=1000)
    await may_fetch(server)
    # from now on, so that the next fetch is allowed at once, and the one after it is not
    monkeypatch.setattr(signing_keys, "COOLDOWN_SECONDS", LONG_SECONDS)
    if trouble is not None:
        await trouble(issuer)
    assert await strangers_and_users(server, issuer, connect) == 0
    assert len(issuer.asked) == 2


async def test_an_algorithm_that_is_refused_anyway_causes_no_fetch(served, issuer, dial, monkeypatch):
    monkeypatch.setattr(signing_keys, "REFRESH_SECONDS", LONG_SECONDS)
    server = await served()
    await may_fetch(server)
    await is_refused(server, await dial(to=server), {"token": server.signed(headers={"kid": "unknown"})})
    assert len(issuer.asked) == 1


async def test_a_refresh_with_a_key_that_is_not_known_yet_is_busy(served, issuer, connect, seldom):
    server = await served()
    ana = await connect("ana", to=server, token=issuer.token(server))
    assert await ana.code(AUTH_REFRESH, {"token": issuer.token(server, key_id="two")}) == "busy"
    assert (await ana.ask(AUTH_REFRESH, {"token": issuer.token(server)}))["ok"]


@pytest.mark.parametrize("is_known", [True, False])
async def test_row_47_a_slow_issuer_does_not_delay_the_stop(serve, issuer, dial, is_known):
    if not is_known:
        issuer.is_slow = True
    server = await serve(**issuer.settings)
    await until(lambda: len(issuer.asked) >= 1)
    issuer.is_slow = True
    asked = len(issuer.asked)
    wire = await dial(to=server)
    await wire.send("40" + json.dumps({"token": issuer.token(server, key_id="two")}))
    await until(lambda: not is_known or len(issuer.asked) > asked)
    async with asyncio.timeout(key_set.FETCH_SECONDS / 2):
        await server.ended()
    assert await wire.is_closed()


async def test_a_stop_refuses_the_checks_that_wait(issuer):
    issuer.is_slow = True
    keys = signing_keys.SigningKeys(Settings(**issuer.settings), Metrics())
    await keys.start()
    await until(lambda: issuer.asked)
    waiting = asyncio.ensure_future(keys.find("one"))
    await asyncio.sleep(0)
    await keys.stop()
    async with asyncio.timeout(key_set.FETCH_SECONDS / 5):
        with pytest.raises(TemporarilyUnavailable):
            await waiting


@pytest.mark.slow
async def test_row_47_sigterm_does_not_wait_for_a_fetch(issuer, dial, tmp_path):
    issuer.is_slow = True
    async with serving(tmp_path, 1, **issuer.settings) as [server]:
        await until(lambda: issuer.asked)
        settings = Settings(jwt_secret=SECRET)
        wire = await dial(to=server)
        token = signed(settings, 0, key=private_key("one"), algorithm=ALGORITHM, headers={"kid": "one"})
        await wire.send("40" + json.dumps({"token": token}))
        async with asyncio.timeout(key_set.FETCH_SECONDS / 2):
            assert await server.end() == 0


def test_row_47_a_slow_name_server_does_not_delay_the_stop(monkeypatch):
    answered = threading.Event()
    monkeypatch.setattr(dns.socket, "getaddrinfo", lambda *_, **__: answered.wait(WAIT_SECONDS))
    settings = Settings(jwt_jwks_url="http://issuer.invalid/keys", jwt_algorithms="ES256")

    async def fetch():
        async with key_set.create_session(settings) as session:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await key_set.fetch_keys(session, settings.jwt_jwks_url)

    # in a thread, as `asyncio.run` would wait for the loop's own look-up
    running = threading.Thread(target=asyncio.run, args=(fetch(),), daemon=True)
    running.start()
    running.join(WAIT_SECONDS / 2)
    assert not running.is_alive()
    answered.set()


async def test_a_name_is_looked_up():
    found = await dns.ThreadResolver().resolve("localhost", 80, socket.AF_INET)
    assert [(address["host"], address["port"]) for address in found] == [("127.0.0.1", 80)]


async def test_a_name_without_an_address_is_an_error():
    with pytest.raises(socket.gaierror):
        await dns.ThreadResolver().resolve("no-such-name.invalid", 80, socket.AF_INET)


async def test_the_settings_headers_are_sent_with_a_fetch(served, issuer):
    await served(jwt_jwks_headers=f"Authorization: Bearer {CANARY}, X-Tenant: dispatch")
    assert issuer.asked[0]["Authorization"] == f"Bearer {CANARY}"
    assert issuer.asked[0]["X-Tenant"] == "dispatch"


async def test_trouble_is_logged_once_per_change(served, issuer):
    with capture_logs() as logs:
        server = await served(jwt_jwks_headers=f"Authorization: {CANARY}")
        issuer.status = 500
        await until(lambda: value(server, "server_key_fetches_total", outcome="status") >= 3)
        await issuer.leave()
        await until(lambda: value(server, "server_key_fetches_total", outcome="unreachable") >= 3)
        issuer.status = 200
        await issuer.come()
        await until(lambda: not server.application.guards.auth.is_degraded)
    told = [(entry["event"], entry.get("cause"), entry.get("detail")) for entry in logs if "key set" in entry["event"]]
    assert [cause for _, cause, _ in told] == ["status", "unreachable", None]
    assert told[0][2] == "500"
    assert CANARY not in repr(logs)


ODD_KEYS = [
    7,
    {},
    {"kid": "x"},
    {"kid": "x", "kty": []},
    {"kid": "x", "kty": "RSA", "alg": []},
    {"kid": "x", "kty": "RSA", "n": 7, "e": 7},
    {"kid": "x", "kty": "RSA", "n": "", "e": ""},
    {"kid": "x", "kty": "EC", "crv": "P-0"},
    {"kid": "x", "kty": "new"},
    {"kid": "x", "kty": "oct", "k": "c2VjcmV0"},
    {"kid": 7, "kty": "EC"},
    public_jwk("one", kid="for encryption", use="enc"),
]


# numbered, as one of the keys is new in each run
@pytest.mark.parametrize("odd", ODD_KEYS, ids=range(len(ODD_KEYS)))
def test_an_odd_key_does_not_hide_the_others(odd):
    assert key_set.keys_of({"keys": [odd, public_jwk("one")]}).keys() == {"one"}


@pytest.mark.parametrize("document", [None, 7, "", [], {}, {"keys": None}, {"keys": {}}, {"keys": "x"}], ids=repr)
def test_a_document_that_is_no_key_set_is_an_error(document):
    with pytest.raises(ValueError, match="no key set"):
        key_set.keys_of(document)


def test_the_first_of_two_keys_with_one_id_counts():
    two = public_jwk("two", kid="one")
    keys = key_set.keys_of({"keys": [public_jwk("one"), two]})
    assert keys["one"].public_numbers() == key_set.keys_of({"keys": [public_jwk("one")]})["one"].public_numbers()


async def test_a_key_of_another_kind_than_its_algorithm_is_refused(served, issuer, dial):
    issuer.text = json.dumps({"keys": [new_keys()[2] | {"kid": "one"}]})
    server = await served()
    with capture_logs() as logs:
        await is_refused(server, await dial(to=server), {"token": issuer.token(server)})
        unnamed = server.signed(key=private_key("one"), algorithm=ALGORITHM)
        await is_refused(server, await dial(to=server), {"token": unnamed})
    assert [entry["reason"] for entry in logs if entry["event"] == "refused"] == ["key", "key"]


PRODUCTION = {"env": "production", "jwt_algorithms": "RS256"}


@pytest.mark.parametrize("url", ["http://id.example/keys", "http://127.0.0.1.example/keys", "http://10.0.0.1/keys"])
def test_production_fetches_keys_over_https_only(url):
    with pytest.raises(SettingsError, match="SERVER_JWT_JWKS_URL must be an https address"):
        load_settings(**PRODUCTION, jwt_jwks_url=url)
    assert load_settings(jwt_algorithms="RS256", jwt_jwks_url=url)


@pytest.mark.parametrize(
    "url", ["https://id.example/keys", "http://localhost:1/keys", "http://127.0.0.9/", "http://[::1]/"]
)
def test_production_accepts_https_and_the_loopback(url):
    assert load_settings(**PRODUCTION, jwt_jwks_url=url)


@pytest.mark.parametrize(
    "url", ["https://", "https:///keys", "file:///x", "https://[::1", "https://id:0/", "https://id:x/"]
)
def test_an_address_that_is_none_stops_the_start(url):
    with pytest.raises(SettingsError, match="SERVER_JWT_JWKS_URL must be an http or https address"):
        load_settings(**PRODUCTION, jwt_jwks_url=url)


def test_a_password_in_the_address_stops_the_start():
    with pytest.raises(SettingsError, match="SERVER_JWT_JWKS_HEADERS") as error:
        load_settings(**PRODUCTION, jwt_jwks_url=f"https://ana:{CANARY}@id.example/keys")
    assert CANARY not in str(error.value)


HEADERS = {"A: 1": {"A": "1"}, "A: 1, B:x:y": {"A": "1", "B": "x:y"}, '{"A": "1, 2"}': {"A": "1, 2"}, "": {}}


@pytest.mark.parametrize("written", HEADERS)
def test_headers_are_written_as_lines_or_json(monkeypatch, written):
    monkeypatch.setenv("SERVER_JWT_JWKS_HEADERS", written)
    settings = load_settings()
    assert {name: value.get_secret_value() for name, value in settings.jwt_jwks_headers} == HEADERS[written]


WRONG_HEADERS = [
    f"A b: {CANARY}",
    f": {CANARY}",
    f'{{"A": "{CANARY}\\n"}}',
    f'{{"A": ["{CANARY}"]}}',
    f'{{"A": "{CANARY}"',
    f"{CANARY}{{",
]


@pytest.mark.parametrize("written", WRONG_HEADERS)
def test_wrong_headers_stop_the_start_in_one_line(monkeypatch, written):
    monkeypatch.setenv("SERVER_JWT_JWKS_HEADERS", written)
    with pytest.raises(SettingsError, match="SERVER_JWT_JWKS_HEADERS") as error:
        load_settings()
    assert CANARY not in str(error.value)
    assert "\n" not in str(error.value)


def test_no_header_is_shown():
    assert CANARY not in repr(load_settings(jwt_jwks_headers=f"A: {CANARY}"))
