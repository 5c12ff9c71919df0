"""Tests of the settings that map the claims of an identity provider."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ...__main__ import main
from ...auth import TokenAuth, make_token
from ...claims import RoleClaim, find_claim
from ...errors import Unauthorized
from ...roles import Role
from ...settings import Settings, SettingsError, load_settings
from ...settings.product import AUDIENCE
from .. import tokens
from ..package import PACKAGE
from ..stand_in import PLAIN, PRIVILEGED, ROLES

NOW = 1_800_000_000
signed = partial(tokens.signed, Settings.model_construct(), NOW)
MAP = f"boss:{PRIVILEGED},urn:x:staff:{PLAIN}"


async def identify(token, **settings):
    return await TokenAuth(load_settings(**settings), clock=lambda: NOW).identify({"token": token})


async def refusal(token, **settings):
    with pytest.raises(Unauthorized) as refused:
        await identify(token, **settings)
    return refused.value.reason


PLACES = [
    ("realm_access.roles", {"realm_access": {"roles": ["boss"]}}),
    ("resource_access.my.app.roles", {"resource_access": {"my.app": {"roles": ["x", "boss"]}}}),
    ("https://example.com/role", {"https://example.com/role": "boss"}),
    ("https://example.com/app.role", {"https://example.com/app": {"role": "boss"}}),
    ("cognito:groups", {"cognito:groups": ["boss"]}),
    ("a.b", {"a.b": "boss", "a": {"b": "urn:x:staff"}}),
]


@pytest.mark.parametrize(("claim", "payload"), PLACES, ids=[place for place, _ in PLACES])
async def test_a_role_is_found_where_a_provider_puts_it(claim, payload):
    token = signed(role=None, **payload)
    assert (await identify(token, jwt_role_claim=claim, jwt_role_map=MAP)).role is PRIVILEGED
    # the claim `role` does not count
    assert await refusal(signed(role=PRIVILEGED), jwt_role_claim=claim) == "role"


@pytest.mark.parametrize("path", ["a.b", "a.b.c", "a..b", ".", "x.y"])
def test_a_place_that_the_token_does_not_have_is_empty(path):
    assert find_claim({"a": {"x": 1}, "b": "text", "x": ["y"]}, path) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("a.b", max_size=3), inner, max_size=3),
)


@given(json_values, st.text("a.b", max_size=6))
def test_no_claim_and_no_path_is_an_error(payload, path):
    found = find_claim(payload, path)
    if isinstance(payload, dict) and path in payload:
        assert found == payload[path]


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        ("boss", PRIVILEGED),
        ("urn:x:staff", PLAIN),
        (["boss"], PRIVILEGED),
        (["offline_access", "urn:x:staff", "boss"], PLAIN),
    ],
)
async def test_the_first_mapped_value_of_a_list_counts(roles, expected):
    assert (await identify(signed(role=roles), jwt_role_map=MAP)).role is expected


# with a map, the name of a role alone means nothing
@pytest.mark.parametrize("roles", [PRIVILEGED, [PRIVILEGED], [], ["x"], [["boss"]], {"boss": 1}, None, 7, [None, 7]])
async def test_a_role_that_is_not_mapped_is_refused(roles):
    assert await refusal(signed(role=roles), jwt_role_map=MAP) == "role"


async def test_a_list_of_roles_needs_a_map():
    assert await refusal(signed(role=[PRIVILEGED])) == "role"


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("boss:emperor", "SERVER_JWT_ROLE_MAP has no role for emperor: the roles are"),
        ("boss", "SERVER_JWT_ROLE_MAP: must be pairs like manager:admin, separated by commas"),
        ("boss:", "SERVER_JWT_ROLE_MAP: must be pairs like"),
        (f"boss:{PLAIN},boss:{PRIVILEGED}", "SERVER_JWT_ROLE_MAP: names a value twice"),
        ('{"boss"', "SERVER_JWT_ROLE_MAP"),
    ],
)
def test_a_wrong_map_stops_the_start_in_one_line(monkeypatch, written, line):
    monkeypatch.setenv("SERVER_JWT_ROLE_MAP", written)
    with pytest.raises(SettingsError, match=line) as error:
        TokenAuth(load_settings())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("written", [MAP, f'{{"boss": "{PRIVILEGED}", "urn:x:staff": "{PLAIN}"}}'])
def test_a_map_is_written_as_pairs_or_json(monkeypatch, written):
    monkeypatch.setenv("SERVER_JWT_ROLE_MAP", written)
    assert load_settings().jwt_role_map == (("boss", PRIVILEGED), ("urn:x:staff", PLAIN))


AUDIENCES = {"jwt_audience": "api,https://tenant.example/userinfo"}


@pytest.mark.parametrize(
    "audience", ["api", ["api"], ["api", "https://tenant.example/userinfo"], ["https://tenant.example/userinfo", "api"]]
)
async def test_every_audience_of_a_token_may_be_listed(audience):
    assert await identify(signed(aud=audience), **AUDIENCES)


@pytest.mark.parametrize("audience", [["api", "billing"], ["billing", "api"], "billing", [], None, "", ["api", None]])
async def test_one_unlisted_audience_refuses_a_token(audience):
    assert await refusal(signed(aud=audience), **AUDIENCES) == "audience"


@pytest.mark.parametrize(
    ("typ", "accepted"),
    [("JWT", "at+jwt,JWT"), ("application/at+jwt", "at+jwt"), ("at+jwt", "application/at+jwt"), ("AT+JWT", "at+jwt")],
)
async def test_the_type_of_a_token_may_be_written_differently(typ, accepted):
    assert await identify(signed(headers={"typ": typ}), jwt_type=accepted)


async def test_a_token_without_a_type_is_a_plain_jwt():
    assert await identify(signed(headers={"typ": None}), jwt_type="JWT")
    assert await refusal(signed(headers={"typ": None})) == "type"


@pytest.mark.parametrize("name", ["SERVER_JWT_AUDIENCE", "SERVER_JWT_TYPE"])
def test_an_empty_list_stops_the_start(monkeypatch, name):
    monkeypatch.setenv(name, ",")
    with pytest.raises(SettingsError, match=name):
        load_settings()


@pytest.mark.parametrize("role", ROLES)
async def test_a_made_token_is_accepted_with_mapped_claims(role):
    pairs = ",".join(f"my-{each}:{each}" for each in Role)
    settings = {"jwt_role_claim": "realm_access.roles", "jwt_role_map": pairs, "jwt_audience": "a,b", "jwt_type": "JWT"}
    token = make_token(load_settings(**settings), "ana", role, clock=lambda: NOW)
    assert (await identify(token, **settings)).role is role


def test_a_role_that_nothing_leads_to_has_no_token():
    with pytest.raises(SettingsError, match="SERVER_JWT_ROLE_MAP leads nothing to it"):
        make_token(load_settings(jwt_role_map=f"boss:{PRIVILEGED}"), "ana", PLAIN)


def test_the_command_token_says_in_one_line_why_there_is_none(monkeypatch, capsys):
    monkeypatch.setenv("SERVER_JWT_ROLE_MAP", f"boss:{PRIVILEGED}")
    assert main(["token", "--user", "auth0|ana", "--role", PRIVILEGED]) == 0
    assert main(["token", "--user", "ana", "--role", PLAIN]) == 2
    line = f"{PACKAGE}: no token can have the role {PLAIN}: SERVER_JWT_ROLE_MAP leads nothing to it\n"
    assert capsys.readouterr().err == line


def test_only_roles_that_a_token_can_have_are_printed():
    assert RoleClaim(load_settings(jwt_role_map=f"boss:{PRIVILEGED},b:{PRIVILEGED}")).reachable == [PRIVILEGED]
    assert RoleClaim(load_settings()).reachable == list(Role)


async def test_an_identity_has_the_time_of_its_token():
    assert (await identify(signed(iat=NOW - 7))).issued_at == NOW - 7


class OwnShape(TokenAuth):
    """Verifies tokens whose audience is in another claim."""

    def translated(self, payload):
        return payload | {"aud": payload.get("client_id")}


async def test_a_subclass_translates_the_claims_of_a_token():
    auth = OwnShape(Settings(), clock=lambda: NOW)
    assert await auth.identify({"token": signed(aud=None, client_id=AUDIENCE)})
    with pytest.raises(Unauthorized):
        await auth.identify({"token": signed(client_id="other")})
    with pytest.raises(Unauthorized):
        await auth.identify({"token": signed(iss="other", aud=None, client_id=AUDIENCE)})
