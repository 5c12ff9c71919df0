"""Tests of odd numbers in tokens: row 48 of `WITHSTANDS.md`."""

import asyncio
import json
import math

import jwt
import pytest

from ... import auth
from ...errors import TokenExpired, Unauthorized
from ...roles import Identity
from ...settings import Settings, SettingsError, load_settings
from ..checks import is_refused, notices_nothing
from ..stand_in import PLAIN

# as they are written in JSON
NO_NUMBERS = ["NaN", "Infinity", "-Infinity", "1e400", "-1e400"]
HUGE = ["1e308", "-1e308", "1" + "0" * 400, "253402300800", "1e18", "-1", "-0.5"]
NOW = 1_800_000_000


def token_with(server, claim, number):
    """Return a signed token whose payload has `number` as it is written."""
    now, settings = int(server.application.clock()), server.settings
    claims = {"iss": settings.jwt_issuer, "aud": settings.jwt_audience[0], "sub": "ana", "role": PLAIN}
    claims |= {"iat": now, "exp": now + 600} | {claim: "number"}
    payload = json.dumps(claims).replace('"number"', number).encode()
    return jwt.PyJWS().encode(payload, settings.secret, algorithm="HS256", headers={"typ": settings.jwt_type[0]})


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
async def test_row_48_a_time_that_is_no_time_is_refused(server, connect, dial, claim):
    bob = await connect("bob")
    tokens = [token_with(server, claim, number) for number in NO_NUMBERS + HUGE]
    wires = [await dial() for _ in tokens]
    refused = (is_refused(server, wire, {"token": token}) for wire, token in zip(wires, tokens, strict=True))
    await asyncio.gather(*refused)
    await notices_nothing(server, bob)


@pytest.mark.parametrize("number", NO_NUMBERS)
@pytest.mark.parametrize("place", ["%s", "[1, [%s]]", '{"a": {"b": [%s]}}', "[" * 300 + "%s" + "]" * 300])
async def test_row_48_no_claim_holds_nan_or_an_infinity(server, dial, place, number):
    await is_refused(server, await dial(), {"token": token_with(server, "score", place % number)})


async def test_row_48_deep_claims_are_no_crash(server, connect, dial):
    deep = "[" * 2500 + "NaN" + "]" * 2500
    await is_refused(server, await dial(), {"token": token_with(server, "score", deep)})
    await notices_nothing(server, await connect("bob"))


async def test_finite_numbers_in_other_claims_are_accepted(server, connect):
    assert await connect("ana", token=token_with(server, "score", '{"a": [0, -1, 2.5, 1e300]}'))


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
async def test_a_comparison_with_nan_refuses(monkeypatch, claim):
    claims = {"sub": "ana", "role": PLAIN, "iat": NOW, "exp": NOW + 600, "nbf": 0.0, "company": None, "rooms": []}
    claims[claim] = math.nan
    monkeypatch.setattr(auth.TokenAuth, "_claims", lambda self, token, key: auth.Claims.model_construct(**claims))
    with pytest.raises(TokenExpired if claim == "exp" else Unauthorized):
        await auth.TokenAuth(Settings(), clock=lambda: NOW).identify({"token": "x"})


@pytest.mark.parametrize("expiry", [math.nan, math.inf, -math.inf])
def test_an_identity_expires_at_a_finite_time(expiry):
    with pytest.raises(ValueError, match="finite"):
        Identity("ana", PLAIN, expiry)


@pytest.mark.parametrize("name", ["token_life_seconds", "jwt_leeway_seconds", "expiry_grace_seconds"])
@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e400"])
def test_a_setting_is_a_finite_number(name, number):
    with pytest.raises(SettingsError, match=name.upper()):
        load_settings(**{name: number})
