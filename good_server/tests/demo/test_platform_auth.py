"""Tests of companies in tokens: which the platform accepts or refuses."""

from functools import partial

import pytest

from ...auth import TokenAuth
from ...errors import Unauthorized
from ...roles import Identity, Role
from ...settings import Settings
from .. import tokens
from ..checks import is_refused, notices_nothing

NOW = 1_800_000_000
# the default settings, whatever the environment has
signed = partial(tokens.signed, Settings.model_construct(), NOW)


async def identify(token, **settings):
    return await TokenAuth(Settings(**settings), clock=lambda: NOW).identify({"token": token})


async def test_a_vendor_has_no_company():
    assert await identify(signed(role="vendor")) == Identity("ana", Role.VENDOR, NOW + 600, None, ())


async def test_an_identity_has_the_company_and_rooms_of_its_token():
    identity = await identify(signed(role="company", company="acme", rooms=["job:17", "job:18"], jti="x"))
    assert (identity.role, identity.company, identity.topic_rooms) == (Role.COMPANY, "acme", ("job:17", "job:18"))


async def test_a_driver_needs_no_company():
    assert (await identify(signed(role="driver"))).company is None


async def test_a_company_user_needs_a_company():
    with pytest.raises(Unauthorized):
        await identify(signed(role="company"))


WRONG = [
    *({"company": company} for company in ("", "x" * 65, "a b", ["acme"], 7)),
    *({"role": role} for role in ("Admin", ["admin"], {"admin": True}, "admin ")),
    {"rooms": ["job:1\n"]},
]


@pytest.mark.parametrize("changes", WRONG, ids=repr)
async def test_a_malformed_claim_of_the_platform_is_refused(changes):
    with pytest.raises(Unauthorized) as refusal:
        await identify(signed(**changes))
    assert refusal.value.code == "unauthorized"


@pytest.mark.pace
@pytest.mark.parametrize(
    "changes", [*({"company": company} for company in ("", ["acme"], "a:b", 7)), {"role": "company"}], ids=repr
)
async def test_a_handshake_with_a_malformed_company_is_refused(server, connect, dial, changes):
    bob, wire = await connect("bob"), await dial()
    await is_refused(server, wire, {"token": server.signed(**changes)})
    await notices_nothing(server, bob)


async def test_a_made_token_with_a_company_is_accepted():
    settings = {"jwt_secret": "k" * 64, "jwt_algorithms": "HS512", "jwt_issuer": "me", "jwt_audience": "you"}
    token = tokens.token(Settings(**settings), "ana", "driver", company="acme", rooms=["job:17"], clock=lambda: NOW)
    assert (await identify(token, **settings)).company == "acme"
