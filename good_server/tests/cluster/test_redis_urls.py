"""Tests of every kind of Redis URL, each with a real server."""

import asyncio
import secrets
from urllib.parse import quote

import pytest

from ...app import create_parts
from ...errors import Busy
from ...optional_parts import has_part
from ...rooms import Address, user_room
from ...settings import SettingsError, load_settings
from ..package import SERVER
from ..redis import RealRedis
from ..server_processes import environment_of
from ..server_processes import start as start_python
from ..stand_in import NOTE_RECEIVED, NOTE_SEND, NOTES_PER_SECOND
from ..waiting import PROCESS_SECONDS
from .readiness import ready

pytestmark = pytest.mark.no_pace("Redis starts in the loop of the test")
# its characters have a meaning in a URL
PASSWORD = "p@ss/w:rd?#%"
USER = "realtime"

OPEN = [
    "redis://127.0.0.1:{port}",
    "redis://127.0.0.1:{port}/",
    "redis://localhost:{port}/0",
    "REDIS://127.0.0.1:{port}/3",
    "redis://127.0.0.1:{port}?db=3",
    "redis://127.0.0.1:{port}/0?protocol=3&client_name=realtime",
    "unix://{path}",
    "unix://{path}?db=2",
]
WITH_PASSWORD = [
    "redis://:{password}@127.0.0.1:{port}/0",
    "redis://{user}:{password}@127.0.0.1:{port}/1",
    "redis://127.0.0.1:{port}/0?password={password}",
    "redis://127.0.0.1:{port}/0?username={user}&password={password}&protocol=3",
    "unix://:{password}@{path}",
    "unix://{user}:{password}@{path}?db=2",
    "unix://{path}?db=2&username={user}&password={password}",
]
WITH_TLS = [
    "rediss://127.0.0.1:{port}/0?ssl_ca_certs={folder}/ca.pem",
    "rediss://127.0.0.1:{port}/2?ssl_ca_certs={folder}/ca.pem&protocol=3",
    "rediss://localhost:{port}?ssl_ca_certs={folder}/ca.pem&ssl_check_hostname=false",
    "rediss://127.0.0.1:{port}?ssl_cert_reqs=none&ssl_check_hostname=no",
    "rediss://127.0.0.1:{port}?ssl_cert_reqs=none",
    "rediss://127.0.0.1:{port}?ssl_ca_certs={folder}/ca.pem"
    "&ssl_certfile={folder}/server.pem&ssl_keyfile={folder}/server.key",
]


def url_of(form, redis, folder=""):
    words = {"user": USER, "password": quote(PASSWORD, safe=""), "path": redis.socket_path, "folder": folder}
    return form.format(port=redis.port, **words)


async def works(url, serve, connect, until, capsys):
    """Assert that two servers with this URL share everything.

    They log no trouble and no password.
    """
    capsys.readouterr()
    shared = {"redis_url": url, "redis_prefix": secrets.token_hex(8), NOTES_PER_SECOND: 0.1, "burst_seconds": 50}
    # a busy machine is no outage
    shared |= {"redis_seconds": 10, "redis_deaf_seconds": 20}
    servers = [await serve(**shared) for _ in range(2)]
    for server in servers:
        link = server.application.guards.cluster.link
        await until(lambda link=link: link.has_own_heartbeat)
        assert await ready(server) == (200, "ready")
    ana, bob = await connect("ana", to=servers[0]), await connect("bob", to=servers[1])
    acks = [await ana.ask(NOTE_SEND, {"to": "bob", "text": "hello", "id": str(number)}) for number in range(6)]
    assert [ack["ok"] for ack in acks] == [True] * 5 + [False]
    assert (await bob.receives(NOTE_RECEIVED))["text"] == "hello"
    assert await servers[1].application.guards.cluster.counts.of_others("address", "127.0.0.1") != {}
    assert not has_part("reports") or await is_queued(servers[0])
    for tab, server in zip((ana, bob), servers, strict=True):
        await tab.sio.disconnect()
        await server.ended()
    log = capsys.readouterr().out
    assert not any(word in log for word in ("unavailable", "subscription lost", "refuse", "Traceback")), log
    assert PASSWORD not in log


async def is_queued(server):
    """Return whether the queue in Redis takes a report."""
    reports = create_parts(server.settings).reports
    try:
        return bool(await reports.request("outside", 1, Address("/", (user_room("ana"),))))
    except Busy:
        return False
    finally:
        await reports.stop()


@pytest.mark.parametrize("form", OPEN)
async def test_row_53_a_url_without_a_password_works(serve, connect, until, capsys, redis, form):
    await works(url_of(form, redis), serve, connect, until, capsys)


@pytest.fixture(scope="module")
def guarded():
    """A Redis with a password, and with a user."""
    with RealRedis(password=PASSWORD) as server:
        server.call("ACL", "SETUSER", USER, "on", f">{PASSWORD}", "~*", "&*", "+@all")
        yield server


@pytest.mark.parametrize("form", WITH_PASSWORD)
async def test_row_53_a_url_with_a_password_works(serve, connect, until, capsys, guarded, form):
    await works(url_of(form, guarded), serve, connect, until, capsys)


@pytest.fixture(scope="module")
def encrypted(authority):
    with RealRedis(tls=authority) as server:
        yield server


@pytest.mark.parametrize("form", WITH_TLS)
async def test_row_53_a_url_with_tls_works(serve, connect, until, capsys, encrypted, authority, form):
    await works(url_of(form, encrypted, authority), serve, connect, until, capsys)


WRONG = {
    "127.0.0.1:6379": "must be redis://host:port/0, rediss:// for TLS, or unix:///path",
    "http://127.0.0.1:6379": "must be redis://host:port/0",
    "redis+sentinel://127.0.0.1:26379/0": "must be redis://host:port/0",
    "redis:///0": "must be redis://host:port/0",
    "redis://127.0.0.1:99999": "must be redis://host:port/0",
    "unix://": "must be redis://host:port/0",
    "unix://var/run/redis.sock": "three slashes",
    "redis://127.0.0.1:6379/none": "the number of the database",
    "redis://127.0.0.1:6379/0/1": "the number of the database",
    "redis://127.0.0.1:6379/-1": "the number of the database",
    "redis://127.0.0.1:6379?db=none": "db must be the number of a database",
    "redis://127.0.0.1:6379?db=": "db must be the number of a database",
    "redis://127.0.0.1:6379?db=1&db=2": "each once",
    "redis://127.0.0.1:6379?nothing": "must be options such as db=1",
    "redis://127.0.0.1:6379?socket_timeout=5": "its options are",
    "redis://127.0.0.1:6379?max_connections=1": "its options are",
    "redis://127.0.0.1:6379?decode_responses=true": "its options are",
    "redis://127.0.0.1:6379?host=example.com": "its options are",
    "redis://127.0.0.1:6379?protocol=4": "protocol must be one of 2, 3",
    "redis://127.0.0.1:6379?ssl_ca_certs=/dev/null": "ssl_ca_certs needs rediss://",
    "unix:///tmp/redis.sock?ssl_cert_reqs=none": "ssl_cert_reqs needs rediss://",
    "unix:///tmp/redis.sock?socket_keepalive=yes": "its options are",
    "rediss://127.0.0.1:6379?ssl_ca_certs=/nowhere/ca.pem": "ssl_ca_certs names no file",
    "rediss://127.0.0.1:6379?ssl_cert_reqs=maybe": "ssl_cert_reqs must be one of none, optional, required",
    "rediss://127.0.0.1:6379?ssl_check_hostname=maybe": "ssl_check_hostname must be one of",
}


@pytest.mark.parametrize("url", WRONG)
def test_a_wrong_url_stops_the_start_with_one_line(url):
    with pytest.raises(SettingsError) as stopped:
        create_parts(load_settings(redis_url=url))
    assert str(stopped.value).startswith("SERVER_REDIS_URL")
    assert WRONG[url] in str(stopped.value)
    assert "\n" not in str(stopped.value)


def test_a_file_that_is_no_certificate_stops_the_start(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(SettingsError, match="certificate or key cannot be read"):
        create_parts(load_settings(redis_url=f"rediss://127.0.0.1:6379?ssl_ca_certs={tmp_path}/ca.pem"))


@pytest.mark.slow
@pytest.mark.needs("reports")
@pytest.mark.parametrize("command", ["worker", "--workers=2", "--workers=1"])
async def test_a_wrong_url_stops_each_command_with_one_line(command):
    environment = environment_of({"redis_url": "redis://127.0.0.1:6379?ssl_cert_reqs=none"})
    process = await start_python(*SERVER, command, **environment)
    output, errors = await asyncio.wait_for(process.communicate(), PROCESS_SECONDS)
    assert process.returncode == 2
    assert len(errors.decode().splitlines()) == 1, errors.decode()
    assert b"SERVER_REDIS_URL: the option ssl_cert_reqs needs rediss://" in errors
    assert b"listening" not in output


@pytest.mark.parametrize(
    ("url", "is_accepted"),
    [
        ("redis://redis:6379/0", False),
        ("redis://:@redis:6379/0", False),
        ("redis://ana@redis:6379/0", False),
        ("redis://redis:6379/0?password=", False),
        ("redis://redis:6379/0?password=secret", True),
        ("redis://:secret@redis:6379/0", True),
        ("unix:///run/redis.sock", True),
    ],
)
def test_production_needs_a_password_for_a_far_redis(url, is_accepted):
    settings = {"env": "production", "jwt_secret": "s" * 16 + "t" * 16, "redis_url": url}
    if is_accepted:
        load_settings(**settings)
        return
    with pytest.raises(SettingsError, match="SERVER_REDIS_URL has no password"):
        load_settings(**settings)
