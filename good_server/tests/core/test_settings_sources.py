"""Tests of the environment and `.env`, and of unknown names in them."""

import logging

import pytest

from ...settings import Settings, load_settings
from ...settings.sources import unknown_settings
from ..tokens import PRODUCTION, PRODUCTION_ENVIRONMENT, SECRET
from .test_settings import refusal

# what Kubernetes sets for the Services `server`, `server-internal` and `server-redis`
KUBERNETES = {
    "SERVER_PORT": "tcp://10.0.0.1:8000",
    "SERVER_SERVICE_HOST": "10.0.0.1",
    "SERVER_SERVICE_PORT": "8000",
    "SERVER_SERVICE_PORT_HTTP": "8000",
    "SERVER_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "SERVER_PORT_8000_TCP_PROTO": "tcp",
    "SERVER_PORT_8000_TCP_PORT": "8000",
    "SERVER_PORT_8000_TCP_ADDR": "10.0.0.1",
    "SERVER_PORT_9000_UDP": "udp://10.0.0.1:9000",
    "SERVER_INTERNAL_PORT": "tcp://10.0.0.2:8010",
    "SERVER_INTERNAL_SERVICE_HOST": "10.0.0.2",
    "SERVER_INTERNAL_PORT_8010_TCP_ADDR": "10.0.0.2",
    "SERVER_REDIS_PORT": "tcp://10.0.0.3:6379",
    "SERVER_REDIS_SERVICE_PORT_REDIS": "6379",
}
MISSPELLED = {
    "SERVER_ENVIRONMENT": "SERVER_ENV",
    "SERVER_JWT_SECERT": "SERVER_JWT_SECRET",
    "SERVER_ALLOWED_ORIGIN": "SERVER_ALLOWED_ORIGINS",
    "SERVER_PING_TIMEOUT": "SERVER_PING_TIMEOUT_SECONDS",
    "SERVER_SECRET": "SERVER_JWT_SECRET",
    "SERVER_REDIS": "SERVER_REDIS_URL",
    "SERVER_HTTP_PORT": "SERVER_PORT",
    "server_environment": "SERVER_ENV",
    "Server_Jwt_Secert": "SERVER_JWT_SECRET",
}


def put(monkeypatch, where, name, value):
    """Write a setting into the environment or into `.env`."""
    if where == "environment":
        monkeypatch.setenv(name, value)
    else:
        with open(".env", "a", encoding="utf-8") as file:
            file.write(f"{name}={value}\n")


EACH_SOURCE = pytest.mark.parametrize("where", ["environment", "file"])


@EACH_SOURCE
@pytest.mark.parametrize("name", MISSPELLED)
def test_production_stops_at_an_unknown_name(monkeypatch, where, name):
    put(monkeypatch, where, name, SECRET)
    message = refusal(**PRODUCTION)
    assert name.upper() in message
    assert message.endswith(f"the nearest is {MISSPELLED[name]}")
    assert SECRET not in message


@EACH_SOURCE
def test_production_is_known_from_where_it_is_written(monkeypatch, where):
    for name, value in (PRODUCTION_ENVIRONMENT | {"SERVER_JWT_SECERT": "x"}).items():
        put(monkeypatch, where, name, value)
    assert "SERVER_JWT_SECERT" in refusal()


def test_a_misspelled_secret_is_named_before_the_missing_one(monkeypatch):
    monkeypatch.setenv("SERVER_JWT_SECERT", SECRET)
    assert "SERVER_JWT_SECERT" in refusal(env="production")


@EACH_SOURCE
def test_development_warns_of_an_unknown_name(monkeypatch, caplog, where):
    put(monkeypatch, where, "SERVER_ENVIRONMENT", "production")
    assert load_settings().env == "development"
    assert caplog.messages == ["warning: SERVER_ENVIRONMENT is not a setting; the nearest is SERVER_ENV"]
    assert caplog.records[0].levelno == logging.WARNING


def test_names_of_other_programs_are_left_alone(monkeypatch, caplog, tmp_path):
    monkeypatch.setenv("SERVERS", "1")
    monkeypatch.setenv("MY_SERVER_PORT", "1")
    (tmp_path / ".env").write_text("REDIS_PASSWORD=1\nENV=production\nthis is no assignment\n")
    assert load_settings(**PRODUCTION)
    # python-dotenv itself warns of the last line
    assert not [message for message in caplog.messages if "setting" in message]


def test_a_misspelled_parameter_is_refused():
    assert "SERVER_JWT_SECERT" in refusal(jwt_secert=SECRET)


def test_names_of_kubernetes_are_left_alone(monkeypatch, caplog):
    for name, value in KUBERNETES.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(**PRODUCTION)
    assert (settings.port, settings.internal_port, caplog.messages) == (8000, 8010, [])
    assert not {"port", "internal_port"} & settings.model_fields_set


def test_a_port_of_kubernetes_leaves_the_one_in_the_file(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("SERVER_PORT=9001\n")
    monkeypatch.setenv("SERVER_PORT", KUBERNETES["SERVER_PORT"])
    assert load_settings().port == 9001


@pytest.mark.parametrize("name", ["SERVER_REDIS_PORT", "SERVER_HTTP_PORT", "SERVER_PORT_8000", "SERVER_PORT_TCP"])
def test_a_name_that_only_resembles_kubernetes_is_unknown(monkeypatch, name):
    monkeypatch.setenv(name, "6379")
    assert name in refusal(**PRODUCTION)


EVERY = [name.upper() for name in Settings.model_fields]


@EACH_SOURCE
@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_value_of_any_setting_means_unset(monkeypatch, where, value):
    # `undo` would also bring back the caller's own variables
    with monkeypatch.context() as patch:
        for name in EVERY:
            put(patch, where, f"SERVER_{name}", value)
        settings = load_settings()
    assert settings.model_fields_set == set()
    assert settings == load_settings(_env_file=None)


def test_an_empty_variable_leaves_the_value_in_the_file(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("SERVER_PORT=9001\n")
    monkeypatch.setenv("SERVER_PORT", "")
    assert load_settings().port == 9001


def test_an_empty_unknown_name_is_left_alone(monkeypatch):
    monkeypatch.setenv("SERVER_ENVIRONMENT", "")
    assert load_settings(**PRODUCTION)


def test_a_name_in_other_letters_is_the_same_setting(monkeypatch):
    monkeypatch.setenv("server_port", "9001")
    assert load_settings().port == 9001
    monkeypatch.setenv("SERVER_PORT", "9002")
    assert load_settings().port == 9002


AWKWARD = "a${HOME}b$PATH-c{d}e%(f)s#g-with-32-characters-or-more"


@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_a_secret_in_the_file_is_kept_as_written(tmp_path, quote):
    (tmp_path / ".env").write_text(f"SERVER_JWT_SECRET={quote}{AWKWARD}{quote}\n")
    assert load_settings().secret == AWKWARD


@pytest.mark.parametrize("written", ["\ufeffSERVER_PORT=9001", "SERVER_PORT=9001\r\n", "export SERVER_PORT='9001' # x"])
def test_common_forms_of_the_file_are_read(tmp_path, written):
    (tmp_path / ".env").write_bytes(written.encode())
    assert load_settings().port == 9001


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_a_file_in_another_encoding_is_named(tmp_path, encoding):
    (tmp_path / ".env").write_bytes("SERVER_JWT_ISSUER=münchen\n".encode(encoding))
    assert refusal() == ".env is not a text file in UTF-8: save it again with this encoding"


def test_a_folder_in_place_of_the_file_is_named(tmp_path):
    (tmp_path / ".env").mkdir()
    assert refusal().startswith(".env cannot be read: ")


@pytest.mark.parametrize(("target", "words"), [(".env", "cannot be read"), ("elsewhere", "does not exist")])
def test_a_link_that_leads_nowhere_is_named(tmp_path, target, words):
    (tmp_path / ".env").symlink_to(target)
    assert words in refusal()


@pytest.mark.parametrize("line", ["SERVER_PORT: 9001", "SERVER_PORT 9001", "SERVER_ENV='x", "set SERVER_PORT=9001"])
def test_a_line_that_is_no_assignment_is_named(tmp_path, line):
    (tmp_path / ".env").write_text(f"# a comment\nSERVER_HOST=127.0.0.1\n\n{line}\n")
    message = refusal()
    assert ".env, line 4" in message
    assert "9001" not in message


def test_the_nearest_of_all_settings_is_named():
    assert unknown_settings(["SERVER_A", "SERVER_PART"], ["port", "host"]) == [
        "SERVER_A is not a setting; the nearest is SERVER_HOST",
        "SERVER_PART is not a setting; the nearest is SERVER_PORT",
    ]
