"""Tests of which tokens the server accepts, and which it refuses."""

import socket
from functools import partial
from uuid import UUID

import pytest

from ...auth import TokenAuth
from ...errors import TokenExpired, Unauthorized
from ...roles import Identity
from ...rooms import user_room
from ...settings import Settings
from .. import tokens
from ..stand_in import PLAIN, PRIVILEGED, topic

NOW = 1_800_000_000
REQUIRED_CLAIMS = ("iss", "aud", "sub", "role", "iat", "exp")
# the default settings, whatever the environment has
DEFAULTS = Settings.model_construct()
ISSUER, AUDIENCE = DEFAULTS.jwt_issuer, DEFAULTS.jwt_audience[0]
signed = partial(tokens.signed, DEFAULTS, NOW)


async def identify(token, *, at=NOW, **settings):
    return await TokenAuth(Settings(**settings), clock=lambda: at).identify({"token": token})


async def test_a_good_token_is_an_identity():
    assert await identify(signed()) == Identity("ana", PLAIN, NOW + 600)


async def test_an_identity_has_the_role_and_rooms_of_its_token():
    identity = await identify(signed(role=PRIVILEGED, rooms=[topic("17"), topic("18")], jti="x"))
    assert (identity.role, identity.topic_rooms) == (PRIVILEGED, (topic("17"), topic("18")))


@pytest.mark.parametrize("claim", REQUIRED_CLAIMS)
async def test_a_token_without_a_required_claim_is_refused(claim):
    with pytest.raises(Unauthorized):
        await identify(signed(**{claim: None}))


@pytest.mark.parametrize("user", ["a", "x" * 128, "A-Z.a_z@0-9", "auth0|abc", "ana+test@example.com", str(UUID(int=7))])
async def test_a_well_formed_user_id_is_accepted(user):
    assert (await identify(signed(sub=user))).user == user


WRONG = [
    *({"sub": sub} for sub in ("", "x" * 129, "a b", "ana\n", "ana:b", "\u0430na", "a/b", "ana\x00", 7, ["ana"])),
    *({"sub": sub} for sub in ({}, True, "ana ", "a;b", "a\u200bb", "../ana")),
    *({"role": role} for role in ("", "root", PRIVILEGED.swapcase(), f"{PRIVILEGED} ", 1)),
    *({"role": role} for role in ([PRIVILEGED], {PRIVILEGED: True})),
    *({"rooms": rooms} for rooms in (topic("17"), [17], [user_room("bob")], [topic("")])),
    *({"rooms": rooms} for rooms in ([topic("1\n")], [topic("1")] * 17, {}, [[topic("1")]], [None])),
    *({"aud": audience} for audience in ("", "other", [], [AUDIENCE, "other"], [AUDIENCE, 7], {AUDIENCE: 1})),
    *({"iss": issuer} for issuer in ("", "other", f"{ISSUER}/", [ISSUER])),
    *({"exp": exp} for exp in (str(NOW + 600), "soon", [NOW + 600], True, 1e308, NOW + 10 * 365 * 24 * 3600)),
    *({"iat": iat} for iat in (str(NOW), "now", NOW + 60, [NOW])),
    *({"nbf": nbf} for nbf in ("soon", 1e12)),
]  # fmt: skip


@pytest.mark.parametrize("changes", WRONG, ids=repr)
async def test_a_malformed_claim_is_refused(changes):
    with pytest.raises(Unauthorized) as refusal:
        await identify(signed(**changes))
    assert refusal.value.code == "unauthorized"


@pytest.mark.parametrize(("late", "is_accepted"), [(0, True), (4, True), (5, False), (6, False)])
async def test_an_expired_token_is_accepted_within_the_leeway(late, is_accepted):
    if is_accepted:
        assert await identify(signed(), at=NOW + 600 + late)
        return
    with pytest.raises(TokenExpired):
        await identify(signed(), at=NOW + 600 + late)


@pytest.mark.parametrize(("early", "is_accepted"), [(0, True), (5, True), (6, False)])
async def test_a_token_from_the_future_is_accepted_within_the_leeway(early, is_accepted):
    if is_accepted:
        assert await identify(signed(), at=NOW - early)
        return
    with pytest.raises(Unauthorized):
        await identify(signed(), at=NOW - early)


@pytest.mark.parametrize(("life", "is_accepted"), [(3600, True), (3605, True), (3606, False)])
async def test_a_token_that_lives_longer_than_the_setting_is_refused(life, is_accepted):
    if is_accepted:
        assert await identify(signed(exp=NOW + life), token_life_seconds=3600)
        return
    with pytest.raises(Unauthorized):
        await identify(signed(exp=NOW + life), token_life_seconds=3600)


async def test_the_life_of_a_token_is_counted_from_its_issue():
    token = signed(iat=NOW - 3600, exp=NOW + 60)
    assert await identify(token, token_life_seconds=3655)
    with pytest.raises(Unauthorized):
        await identify(token, token_life_seconds=3654)


@pytest.mark.parametrize("typ", ["JWT", "id+jwt", "", None, 7, "x/at+jwt", ["at+jwt"]])
async def test_another_kind_of_token_is_refused(typ):
    with pytest.raises(Unauthorized):
        await identify(signed(headers={"typ": typ}))


async def test_the_kind_of_token_is_a_setting():
    assert await identify(signed(headers={"typ": "JWT"}), jwt_type="JWT")
    assert await identify(signed(headers={"typ": "AT+JWT"}))


async def test_a_token_signed_with_another_secret_is_refused():
    with pytest.raises(Unauthorized):
        await identify(signed(key="another-secret-that-is-long-enough-to-be-one"))


async def test_a_changed_token_is_refused():
    header, payload, signature = signed().split(".")
    other = signed(role=PRIVILEGED).split(".")[1]
    for token in (
        f"{header}.{other}.{signature}",
        f"{header}.{payload}.",
        f"{header}.{payload}",
        f".{payload}.{signature}",
    ):
        with pytest.raises(Unauthorized):
            await identify(token)


@pytest.mark.parametrize("algorithm", ["none", "None", "HS384", "HS512", "RS256", "", None, 7])
async def test_an_algorithm_that_is_not_in_the_setting_is_refused(algorithm):
    changed = tokens.with_header(signed(), alg=algorithm)
    unsigned = changed.rpartition(".")[0] + "."
    for token in (changed, unsigned):
        with pytest.raises(Unauthorized):
            await identify(token)


async def test_a_valid_signature_of_another_algorithm_is_refused():
    secret = "k" * 64
    with pytest.raises(Unauthorized):
        await identify(signed(key=secret, algorithm="HS512"), jwt_secret=secret)


@pytest.fixture(scope="module")
def keys():
    """An RSA key pair in PEM format: private key, public key."""
    private, public, _ = tokens.new_keys()
    return private, public


async def test_a_token_of_a_private_key_needs_the_public_key(keys):
    private, public = keys
    token = signed(key=private, algorithm="RS256")
    assert (await identify(token, jwt_public_key=public, jwt_algorithms="RS256")).user == "ana"


async def test_an_hmac_made_with_the_public_key_is_refused(keys):
    _, public = keys
    forged = tokens.hmac_with_public_key(signed().split(".")[1], public)
    with pytest.raises(Unauthorized):
        await identify(forged, jwt_public_key=public, jwt_algorithms="RS256")


@pytest.mark.parametrize("header", ["jku", "x5u", "jwk", "x5c", "kid"])
async def test_keys_that_a_header_names_are_never_fetched(header, keys):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        value = {} if header == "jwk" else f"http://127.0.0.1:{listener.getsockname()[1]}/key"
        assert await identify(signed(headers={header: value}))
        with pytest.raises(Unauthorized):
            await identify(signed(key=keys[0], algorithm="RS256", headers={header: value}))
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize(
    "auth", [None, {}, {"token": None}, {"token": b"x"}, {"token": ["x"]}, {"token": ""}, [], "x", 7]
)
async def test_a_malformed_handshake_is_refused(auth):
    with pytest.raises(Unauthorized):
        await TokenAuth(Settings()).identify(auth)


@pytest.mark.parametrize(
    "token", [".", "..", "a.b.c", "\u0661.\u0662.\u0663", "\x00", "\ud800", "[" * 5000, "e30.e30.e30"]
)
async def test_a_malformed_token_is_refused(token):
    with pytest.raises(Unauthorized):
        await identify(token)


async def test_a_token_over_the_limit_is_refused():
    assert await identify(signed(jti="x" * 100))
    with pytest.raises(Unauthorized):
        await identify(signed(jti="x" * 8 * 1024))


async def test_a_refusal_does_not_name_the_failed_check():
    with pytest.raises(Unauthorized) as wrong_signature:
        await identify(signed(key="another-secret-that-is-long-enough-to-be-one"))
    with pytest.raises(Unauthorized) as wrong_audience:
        await identify(signed(aud="other"))
    assert str(wrong_signature.value) == str(wrong_audience.value)


async def test_a_made_token_is_accepted_by_the_same_settings():
    settings = {"jwt_secret": "k" * 64, "jwt_algorithms": "HS512", "jwt_issuer": "me", "jwt_audience": "you"}
    token = tokens.token(Settings(**settings), "ana", PRIVILEGED, rooms=[topic("17")], clock=lambda: NOW)
    assert (await identify(token, **settings)).topic_rooms == (topic("17"),)
