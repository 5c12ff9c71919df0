"""Tests of the server's command line, run in an empty folder."""

import asyncio
import re
import signal
import socket
from contextlib import asynccontextmanager

import psutil
import pytest

from ...__main__ import main
from ...events import ROOM_JOIN, SERVER_CLOSING
from ...roles import EXAMPLE_ROOM, Role
from ...rooms import topic_room, user_room
from .. import server_processes
from ..package import PACKAGE, SERVER
from ..stand_in import PLAIN, topic
from ..tokens import PRODUCTION_ENVIRONMENT, SECRET
from ..waiting import PROCESS_SECONDS

READY = re.compile(r"listening on (http://127\.0\.0\.1:\d+) \(internal (http://127\.0\.0\.1:\d+)\)\n")
TOKEN = ["token", "--user", "ana", "--role", PLAIN]


class Process:
    """A server that a test started from the command line."""

    def __init__(self, process, printed, url):
        self.process, self.printed, self.url = process, printed, url

    async def ended(self):
        """Wait for the server's end. Return its exit code and the text on stderr."""
        _, errors = await asyncio.wait_for(self.process.communicate(), PROCESS_SECONDS)
        return self.process.returncode, errors.decode()


async def start(*arguments, **settings):
    return await server_processes.start(*SERVER, *arguments, **settings)


@asynccontextmanager
async def serving(**settings):
    process = await start(**settings)
    try:
        printed = []
        while not printed or printed[-1].startswith(("development", "  ")):
            printed.append((await asyncio.wait_for(process.stdout.readline(), PROCESS_SECONDS)).decode())
        yield Process(process, printed, READY.fullmatch(printed[-1])[1])
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def tokens(printed):
    return {line.split()[0]: line.split()[1] for line in printed if line.startswith("  ")}


async def test_a_newcomer_gets_a_working_token_for_each_role(connect):
    async with serving() as server:
        given = tokens(server.printed)
        assert list(given) == list(Role)
        for role, token in given.items():
            tab = await connect(role, to=server, token=token)
            assert (await tab.ask(ROOM_JOIN, {"room": topic_room(EXAMPLE_ROOM)}))["ok"]


async def test_the_token_command_prints_a_token_that_is_accepted(connect):
    command = await start(*TOKEN, "--room", topic("18"), "--room", topic("19"), "--ttl", "60")
    printed, errors = await asyncio.wait_for(command.communicate(), PROCESS_SECONDS)
    assert (command.returncode, errors) == (0, b"")
    async with serving() as server:
        tab = await connect("ana", to=server, token=printed.decode().strip())
        for name in ("18", "19"):
            assert (await tab.ask(ROOM_JOIN, {"room": topic(name)}))["ok"]
        assert await tab.code(ROOM_JOIN, {"room": topic("20")}) == "forbidden"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_shuts_the_server_down_gracefully(connect, number):
    async with serving() as server:
        tab = await connect("ana", to=server, token=tokens(server.printed)[PLAIN])
        server.process.send_signal(number)
        await tab.receives(SERVER_CLOSING)
        code, errors = await server.ended()
        assert code == 0
        assert "Traceback" not in errors


@pytest.mark.needs("reports")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_no_process_outlives_the_server(number):
    async with serving() as server:
        workers = psutil.Process(server.process.pid).children(recursive=True)
        assert workers
        server.process.send_signal(number)
        await server.ended()
        _, alive = await asyncio.to_thread(psutil.wait_procs, workers, timeout=PROCESS_SECONDS)
        assert alive == []


@pytest.mark.row(3)
@pytest.mark.parametrize("unknown", [{}, {"SERVER_ENVIRONMENT": "production"}])
async def test_a_token_of_a_real_secret_is_not_printed(unknown):
    async with serving(SERVER_JWT_SECRET=SECRET, **unknown) as server:
        assert len(server.printed) == 1
        server.process.terminate()
        code, errors = await server.ended()
    assert code == 0
    assert [name for name in unknown if name not in errors] == []


async def test_ready_tokens_live_no_longer_than_is_allowed(connect):
    async with serving(SERVER_TOKEN_LIFE_SECONDS="300") as server:
        for role, token in tokens(server.printed).items():
            await connect(role, to=server, token=token)


async def test_the_names_of_kubernetes_do_not_stop_the_start():
    names = {"SERVER_SERVICE_HOST": "10.0.0.1", "SERVER_PORT_8000_TCP_ADDR": "10.0.0.1"}
    async with serving(**PRODUCTION_ENVIRONMENT, **names) as server:
        server.process.terminate()
        assert (await server.ended())[0] == 0


async def test_production_prints_no_token_and_logs_lines_of_json(connect):
    async with serving(**PRODUCTION_ENVIRONMENT) as server:
        assert len(server.printed) == 1
        server.process.terminate()
        code, errors = await server.ended()
        assert code == 0
        assert [line[0] + line[-1] for line in errors.splitlines()] == ["{}"] * len(errors.splitlines())


@pytest.mark.parametrize("setting", ["SERVER_PORT", "SERVER_INTERNAL_PORT"])
async def test_a_port_in_use_is_reported_in_one_line(setting):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = await start(**{setting: port})
        _, errors = await asyncio.wait_for(process.communicate(), PROCESS_SECONDS)
    assert process.returncode == 2
    assert re.fullmatch(rf"{PACKAGE}: cannot listen on 127\.0\.0\.1:{port}: [^\n]*in use\n", errors.decode())


async def test_a_wrong_setting_is_reported_in_one_line():
    process = await start(SERVER_ENV="production")
    printed, errors = await asyncio.wait_for(process.communicate(), PROCESS_SECONDS)
    assert (process.returncode, printed, errors.count(b"\n")) == (2, b"", 1)
    assert b"SERVER_JWT_SECRET" in errors


@pytest.fixture
def run(capsys):
    """`run(*arguments)` runs the command line.

    It returns the exit code, and the texts on stdout and stderr.
    """

    def call(*arguments):
        try:
            code = main(list(arguments))
        except SystemExit as stopped:
            code = stopped.code
        return code, *capsys.readouterr()

    return call


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["token"], "--user"),
        (["token", "--user", "ana"], "--role"),
        (["token", "--user", "ana", "--role", "root"], "--role"),
        (["token", "--user", "a b", "--role", PLAIN], "--user"),
        (["token", "--user", "", "--role", PLAIN], "--user"),
        (["token", "--user", "x" * 129, "--role", PLAIN], "--user"),
        (["token", "--user", "ana", "--role", ""], "--role"),
        ([*TOKEN, "--room", topic("")], "--room"),
        ([*TOKEN, "--room", user_room("bob")], "--room"),
        ([*TOKEN, *(["--room", topic("1")] * 17)], "--room"),
        ([*TOKEN, "--ttl", "0"], "--ttl"),
        ([*TOKEN, "--ttl", "-5"], "--ttl"),
        ([*TOKEN, "--ttl", "99999999"], "--ttl"),
        ([*TOKEN, "--ttl", "soon"], "--ttl"),
        ([*TOKEN, "--colour", "red"], "--colour"),
        (["tokens"], "tokens"),
    ],
)
def test_a_wrong_argument_is_reported_in_one_line(run, arguments, named):
    code, printed, errors = run(*arguments)
    assert (code, printed, errors.count("\n")) == (2, "", 1)
    assert named in errors


@pytest.mark.parametrize(
    ("setting", "value", "named"),
    [
        ("SERVER_PORT", "http", "SERVER_PORT"),
        ("SERVER_ENV", "production", "SERVER_JWT_SECRET"),
        ("SERVER_JWT_ALGORITHMS", "HS999", "SERVER_JWT_ALGORITHMS"),
        ("SERVER_JWT_SECRET", "short", "SERVER_JWT_SECRET"),
        ("SERVER_JWT_PUBLIC_KEY", "/etc/public.pem", "SERVER_JWT_ALGORITHMS"),
        ("SERVER_ALLOWED_ORIGINS", "app.example", "SERVER_ALLOWED_ORIGINS"),
        ("SERVER_TRUSTED_PROXIES", "the-proxy", "SERVER_TRUSTED_PROXIES"),
        ("SERVER_HOST", "0.0.0.0", "SERVER_HOST"),  # noqa: S104 - it is refused
    ],
)
@pytest.mark.parametrize("arguments", [[], TOKEN])
def test_a_wrong_setting_is_named(run, monkeypatch, arguments, setting, value, named):
    monkeypatch.setenv(setting, value)
    code, printed, errors = run(*arguments)
    assert (code, printed, errors.count("\n")) == (2, "", 1)
    assert named in errors


def test_no_token_is_made_where_tokens_are_signed_elsewhere(run, monkeypatch):
    monkeypatch.setenv("SERVER_JWT_PUBLIC_KEY", "key")
    monkeypatch.setenv("SERVER_JWT_ALGORITHMS", "RS256")
    code, printed, errors = run(*TOKEN)
    assert (code, printed, errors.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("arguments", [["--help"], ["token", "--help"]])
def test_help_shows_an_example(run, arguments):
    code, printed, _ = run(*arguments)
    assert code == 0
    assert "example: " in printed


def test_settings_come_from_the_env_file_of_the_working_folder(run, tmp_path):
    (tmp_path / ".env").write_text("SERVER_TOKEN_LIFE_SECONDS=60\n")
    code, _, errors = run(*TOKEN, "--ttl", "61")
    assert code == 2
    assert "60" in errors
