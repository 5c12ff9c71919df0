"""Tests of the settings: their sources, and values that prevent the start."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import ECAlgorithm

from ...settings import DEVELOPMENT_SECRET, Settings, SettingsError, load_settings
from ..stand_in import NOTES_PER_SECOND
from ..tokens import PRODUCTION, SECRET


def refusal(**settings):
    with pytest.raises(SettingsError) as error:
        load_settings(**settings)
    message = str(error.value)
    assert "\n" not in message
    return message


def test_the_defaults_are_development_on_loopback():
    settings = load_settings()
    assert (settings.env, settings.host, settings.port, settings.internal_port) == (
        "development",
        "127.0.0.1",
        8000,
        8010,
    )
    assert settings.secret == DEVELOPMENT_SECRET


def test_settings_are_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("SERVER_PORT", "9000")
    assert load_settings().port == 9000


def test_settings_are_read_from_the_env_file(tmp_path):
    (tmp_path / ".env").write_text("SERVER_PORT=9001\nSERVER_ALLOWED_ORIGINS=https://a.example\nOTHER=1\n")
    settings = load_settings()
    assert (settings.port, settings.allowed_origins) == (9001, ("https://a.example",))


def test_the_environment_overrides_the_env_file(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("SERVER_PORT=9001\n")
    monkeypatch.setenv("SERVER_PORT", "9000")
    assert load_settings().port == 9000


@pytest.mark.parametrize(
    "written", ["https://a.example,https://b.example", ' ["https://a.example", "https://b.example"]']
)
def test_a_list_is_separated_by_commas_or_is_json(monkeypatch, written):
    monkeypatch.setenv("SERVER_ALLOWED_ORIGINS", written)
    assert load_settings().allowed_origins == ("https://a.example", "https://b.example")


def test_spaces_and_empty_parts_of_a_list_are_ignored(monkeypatch):
    monkeypatch.setenv("SERVER_ALLOWED_ORIGINS", " https://a.example , ,")
    assert load_settings().allowed_origins == ("https://a.example",)


def test_production_starts_with_a_secret_of_its_own():
    assert load_settings(**PRODUCTION).secret == SECRET


@pytest.mark.parametrize(
    "secret",
    [None, "", "tiny", "x" * 31, DEVELOPMENT_SECRET, "changeme" * 5, "please-REPLACE-this-with-your-own-secret!"],
)
def test_production_refuses_a_weak_secret(secret):
    message = refusal(**PRODUCTION | {"jwt_secret": secret})
    assert "SERVER_JWT_SECRET" in message
    assert not secret or secret not in message


def test_production_refuses_a_wildcard_origin():
    assert "SERVER_ALLOWED_ORIGINS" in refusal(**PRODUCTION, allowed_origins="https://a.example,*")


# its private key was deleted
PUBLIC_KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEfAfl/lw0RBmwzj21RC8LpRjDPMaC
3EGXGvhA4XILMFo3I72A+bSQSGkJmJ3DwvivRNorbRDuQeusbW0F6Jt+NQ==
-----END PUBLIC KEY-----"""


def test_production_needs_no_secret_with_a_public_key():
    settings = load_settings(env="production", jwt_public_key=PUBLIC_KEY, jwt_algorithms="ES256")
    assert settings.has_public_key


def test_a_public_key_must_fit_every_algorithm():
    assert "SERVER_JWT_PUBLIC_KEY" in refusal(jwt_public_key=PUBLIC_KEY, jwt_algorithms="ES256,RS256")


def test_a_private_key_is_refused_as_a_public_key():
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    message = refusal(jwt_public_key=private, jwt_algorithms="ES256")
    assert "SERVER_JWT_PUBLIC_KEY is a private key" in message
    assert private.splitlines()[1] not in message


@pytest.mark.parametrize("line_break", ["\\n", "\\r\\n", "\n", "\r\n", " "])
@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_a_public_key_may_be_written_in_one_line(monkeypatch, line_break, quote):
    monkeypatch.setenv("SERVER_JWT_ALGORITHMS", "ES256")
    monkeypatch.setenv("SERVER_JWT_PUBLIC_KEY", quote + PUBLIC_KEY.replace("\n", line_break) + quote)
    key = ECAlgorithm(ECAlgorithm.SHA256).prepare_key(load_settings().jwt_public_key)
    assert key == ECAlgorithm(ECAlgorithm.SHA256).prepare_key(PUBLIC_KEY)


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("/etc/keys/public.pem", "not the name of its file"),
        ("public.pem", "not the name of its file"),
        ("C:\\new\\public.pem", "not the name of its file"),
        ("file:///etc/keys/public.pem", "not the name of its file"),
        (PUBLIC_KEY.splitlines()[1], "from -----BEGIN"),
        (PUBLIC_KEY.partition("-----END")[0], "to the end of -----END"),
        (PUBLIC_KEY.replace("PUBLIC KEY", "CERTIFICATE"), "is a certificate"),
        (PUBLIC_KEY.replace("MFkw", "AAAA"), "not a public key for ES256"),
    ],
)
def test_a_text_that_is_no_public_key_gets_a_hint(monkeypatch, written, hint):
    monkeypatch.setenv("SERVER_JWT_ALGORITHMS", "ES256")
    monkeypatch.setenv("SERVER_JWT_PUBLIC_KEY", written)
    message = refusal()
    assert message.startswith("SERVER_JWT_PUBLIC_KEY ")
    assert hint in message
    assert written[:12] not in message


def test_an_empty_public_key_leaves_the_secret_in_use(monkeypatch):
    for name in ("SERVER_JWT_PUBLIC_KEY", "SERVER_JWT_JWKS_URL"):
        monkeypatch.setenv(name, "")
    assert not load_settings(**PRODUCTION).has_public_key


NUMBERS = [name for name, field in Settings.model_fields.items() if field.annotation is float]


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_of_seconds_or_events_is_finite(monkeypatch, name):
    for value in ("nan", "inf", "-inf", "1e999"):
        monkeypatch.setenv(f"SERVER_{name.upper()}", value)
        assert f"SERVER_{name.upper()}" in refusal()


def test_the_development_secret_is_for_loopback_only():
    assert "SERVER_HOST" in refusal(host="0.0.0.0")  # noqa: S104 - it is refused
    assert load_settings(host="0.0.0.0", jwt_secret=SECRET)  # noqa: S104 - never started


@pytest.mark.parametrize("algorithms", ["none", "None", "HS256,none", "", "HS999", "RS256", "HS256,RS256"])
def test_unsafe_or_mixed_algorithms_are_refused(algorithms):
    assert "SERVER_JWT_ALGORITHMS" in refusal(jwt_algorithms=algorithms)


def test_a_public_key_is_refused_as_an_hmac_secret():
    assert "SERVER_JWT_ALGORITHMS" in refusal(jwt_public_key="key", jwt_algorithms="HS256")


@pytest.mark.parametrize(("algorithm", "length"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_secret_is_at_least_as_long_as_its_hash(algorithm, length):
    assert "SERVER_JWT_SECRET" in refusal(jwt_algorithms=algorithm, jwt_secret="k" * (length - 1))
    assert load_settings(jwt_algorithms=algorithm, jwt_secret="k" * length)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("env", "prod"),
        ("port", "http"),
        ("port", "65536"),
        ("internal_port", "-1"),
        ("transports", "polling"),
        ("transports", "websocket,carrier-pigeon"),
        ("trusted_proxies", "the-proxy"),
        ("allowed_origins", '["https://a.example"'),
        ("ping_interval_seconds", "0.5"),
        (NOTES_PER_SECOND, "0"),
        ("reports_waiting", "63"),
        ("sockets_per_user", "0"),
        ("jwt_leeway_seconds", "-1"),
        ("max_frame_bytes", "many"),
        ("redis_url", "localhost:6379"),
        ("redis_url", "http://localhost:6379"),
        ("redis_url", "redis://"),
        ("redis_url", "redis://localhost:port"),
        ("redis_prefix", "two words"),
        ("path", "/"),
        ("path", "//"),
        ("path", "/a//b/"),
        ("path", "/../socket.io/"),
        ("path", "/rt/?x=1"),
        ("path", "/rt 2/"),
        ("path", "/%72t/"),
        ("path", "https://a.example/rt/"),
        ("path", "/healthz/"),
        ("header_seconds", "0"),
        ("keep_alive_seconds", "0"),
        ("connects_per_second_per_address", "-1"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(monkeypatch, name, value):
    monkeypatch.setenv(f"SERVER_{name.upper()}", value)
    assert f"SERVER_{name.upper()}" in refusal()


@pytest.mark.parametrize("written", ["/rt/", "/rt", "rt", "rt/"])
def test_a_path_gets_a_slash_at_both_ends(monkeypatch, written):
    monkeypatch.setenv("SERVER_PATH", written)
    assert load_settings().path == "/rt/"


@pytest.mark.parametrize("env", ["development", "production"])
@pytest.mark.parametrize("source", ["environment", "file", "keyword"])
def test_an_old_name_stops_the_start_and_names_the_new_one(tmp_path, monkeypatch, env, source):
    given = PRODUCTION if env == "production" else {}
    if source == "environment":
        monkeypatch.setenv("SERVER_REFUSALS_IN_A_ROW", "800")
    elif source == "file":
        (tmp_path / ".env").write_text("SERVER_REFUSALS_IN_A_ROW=800\n")
    else:
        given = given | {"refusals_in_a_row": 800}
    message = refusal(**given)
    assert "SERVER_REFUSALS_IN_A_ROW" in message
    assert "SERVER_REFUSALS_PER_MINUTE" in message


def test_production_needs_a_password_for_a_remote_redis():
    assert "SERVER_REDIS_URL" in refusal(**PRODUCTION, redis_url="rediss://cache.example:6379/0")
    for url in ("redis://:secret@cache.example:6379/0", "redis://127.0.0.1:6379/0", "unix:///run/redis.sock"):
        assert load_settings(**PRODUCTION, redis_url=url)


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        load_settings().port = 1


def test_settings_do_not_show_their_secret():
    settings = Settings(jwt_secret=SECRET, redis_url=f"redis://:{SECRET}@127.0.0.1:6379/0")
    assert SECRET not in repr(settings) + str(settings.model_dump())
