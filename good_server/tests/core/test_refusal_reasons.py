"""Tests that only the operator learns why a token was refused."""

import json

import pytest
from structlog.testing import capture_logs

from ...events import AUTH_REFRESH
from ..checks import is_refused
from ..entitlements import Stuck
from ..stand_in import LEAVE, PRIVILEGED, topic

# reason, and the changes that make a good token a bad one
BAD_CLAIMS = [
    ("issuer", {"iss": "other"}),
    ("issuer", {"iss": None}),
    ("issuer", {"iss": ["x"]}),
    ("audience", {"aud": "other"}),
    ("audience", {"aud": None}),
    ("audience", {"aud": ["x"]}),
    ("user", {"sub": "a b"}),
    ("user", {"sub": None}),
    ("user", {"sub": 7}),
    ("role", {"role": "root"}),
    ("role", {"role": None}),
    ("role", {"role": [PRIVILEGED]}),
    ("rooms", {"rooms": ["lobby"]}),
    ("rooms", {"rooms": 7}),
    ("times", {"exp": None}),
    ("times", {"exp": "soon"}),
    ("times", {"exp": float("nan")}),
    ("times", {"exp": 4_000_000_000}),
    ("times", {"iat": 4_000_000_000}),
    ("times", {"iat": None}),
    ("times", {"nbf": 4_000_000_000}),
    ("times", {"nbf": "soon"}),
    ("malformed", {"jti": 7}),
    ("malformed", {"score": float("inf")}),
    ("type", {"headers": {"typ": "JWT"}}),
    ("algorithm", {"algorithm": "HS384", "key": "k" * 48}),
    ("signature", {"key": "another-secret-that-is-long-enough-to-be-one"}),
]
BAD_HANDSHAKES = [
    ("no_token", {}),
    ("no_token", []),
    ("no_token", {"token": 7}),
    ("too_long", {"token": "x" * 9000}),
    ("malformed", {"token": "x"}),
    ("malformed", {"token": "a.b.c"}),
    ("malformed", {"token": "[" * 5000}),
]
MESSAGE = "a valid token is required"


def refusals(logs):
    return [entry for entry in logs if entry["event"] == "refused"]


def count(server, where, reason):
    labels = {"where": where, "reason": reason}
    return server.application.guards.metrics.registry.get_sample_value("server_refusals_total", labels)


async def check_reason(server, wire, auth, reason):
    """Assert that log and metric name the reason.

    The answer on the wire is the same for all reasons.
    """
    await wire.send("40" + json.dumps(auth))
    with capture_logs() as logs:
        assert json.loads((await wire.frame())[2:]) == {
            "message": MESSAGE,
            "data": {"code": "unauthorized", "message": MESSAGE},
        }
        assert await wire.is_closed()
    [entry] = refusals(logs)
    assert (entry["reason"], entry["code"], entry["where"]) == (reason, "unauthorized", "connect")
    assert entry["address"] == "127.0.0.1"
    assert count(server, "connect", reason) == 1


@pytest.mark.parametrize(("reason", "changes"), BAD_CLAIMS, ids=repr)
async def test_the_operator_is_told_which_check_failed(server, dial, reason, changes):
    await check_reason(server, await dial(), {"token": server.signed(**changes)}, reason)


@pytest.mark.parametrize(("reason", "auth"), BAD_HANDSHAKES, ids=lambda value: repr(value)[:20])
async def test_the_operator_is_told_what_a_handshake_lacks(server, dial, reason, auth):
    await check_reason(server, await dial(), auth, reason)


async def test_the_reason_of_an_expired_token_is_told(server, dial):
    with capture_logs() as logs:
        token = server.signed(exp=int(server.application.clock()) - 60)
        await is_refused(server, await dial(), {"token": token}, "token_expired")
    assert [(entry["reason"], entry["address"]) for entry in refusals(logs)] == [("expired", "127.0.0.1")]


async def test_a_check_that_hangs_is_told(serve, dial, monkeypatch):
    server = await serve(handshake_seconds=0.1)
    monkeypatch.setattr(server.application.guards.auth, "identify", lambda auth, request: Stuck().may_join(None, None))
    await check_reason(server, await dial(to=server), {"token": "x"}, "slow_check")


async def test_an_unknown_namespace_is_told_with_the_address(server, dial):
    wire = await dial()
    with capture_logs() as logs:
        await wire.send('40/admin,{"token":"x"}')
        assert await wire.is_closed()
    assert [(entry["reason"], entry["address"]) for entry in refusals(logs)] == [("unknown_namespace", "127.0.0.1")]


async def test_a_proxys_client_is_named_by_its_own_address(serve, dial):
    server = await serve(trusted_proxies="127.0.0.1")
    with capture_logs() as logs:
        wire = await dial(to=server, headers={"X-Forwarded-For": "203.0.113.9"})
        await is_refused(server, wire, {})
    assert [entry["address"] for entry in refusals(logs)] == ["203.0.113.9"]


@pytest.mark.parametrize(("reason", "changes"), [*BAD_CLAIMS[::5], ("other_user", {"sub": "eve"})], ids=repr)
async def test_the_reason_of_a_refused_refresh_is_told(server, connect, reason, changes):
    ana = await connect("ana")
    with capture_logs() as logs:
        ack = await ana.ask(AUTH_REFRESH, {"token": server.signed(**changes)})
    assert ack == {"ok": False, "error": {"code": "unauthorized", "message": MESSAGE}}
    [entry] = refusals(logs)
    assert (entry["reason"], entry["where"], entry["address"]) == (reason, AUTH_REFRESH, "127.0.0.1")
    assert count(server, AUTH_REFRESH, reason) == 1


async def test_other_refusals_fill_no_log(serve, connect, clock):
    server = await serve(clock=clock)
    ana = await connect("ana", to=server, life_seconds=600)
    clock.advance(600)
    with capture_logs() as logs:
        assert await ana.code(*LEAVE) == "token_expired"
        assert await ana.code("room:join", {"room": topic("")}) == "token_expired"
    assert refusals(logs) == []
