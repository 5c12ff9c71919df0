"""Tests of the command `publish`, through the internal port and through Redis."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys

import pytest
import pytest_asyncio

from ... import __main__ as command_line
from ... import publish_command
from ...events import SERVER_CLOSING, SESSION_EVICTED
from ...rooms import role_room, user_room
from ..orders import PUBLISH_TOKEN, TAKES_ORDERS
from ..package import PACKAGE
from ..ports import lasting_port
from ..server_processes import environment_of
from ..stand_in import PRIVILEGED
from ..waiting import PROCESS_SECONDS

ANA = user_room("ana")
CLOSING = ["--event", SERVER_CLOSING, "--data", '{"retry_in": 5}']


@pytest_asyncio.fixture(loop_scope="session")
async def server(serve):
    return await serve(**TAKES_ORDERS)


@pytest.fixture
def run(capsys):
    """`await run(*arguments)` runs the command in a thread.

    A server runs in the thread of the test. It returns the exit code, and the texts on stdout and stderr.
    """

    def call(arguments):
        try:
            code = command_line.main(["publish", *arguments])
        except SystemExit as stopped:
            code = stopped.code
        return code, *capsys.readouterr()

    async def run(*arguments, **settings):
        with pytest.MonkeyPatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(f"SERVER_{name.upper()}", str(value))
            return await asyncio.to_thread(call, arguments)

    return run


def port_of(server):
    return int(server.internal_url.rpartition(":")[2])


def own_lines(text):
    """Return the lines of the command. The server of the test logs to the same stream in JSON."""
    return [line for line in text.splitlines() if not line.startswith("{")]


async def test_a_message_is_published_through_the_internal_port(server, run, connect):
    ana, bob, eve = await connect("ana"), await connect("bob", PRIVILEGED), await connect("eve")
    settings = {"publish_token": PUBLISH_TOKEN, "internal_port": port_of(server)}
    code, printed, errors = await run(*CLOSING, "--to", ANA, "--to", role_room(PRIVILEGED), **settings)
    assert (code, own_lines(printed), errors) == (0, ["published through the internal port"], "")
    got = [(SERVER_CLOSING, {"retry_in": 5})]
    assert await server.fence(ana, bob, eve) == [got, got, []]


@pytest.mark.needs("cluster")
async def test_a_message_is_published_through_redis(two, run, connect, shared):
    servers = await two()
    anas = [await connect("ana", to=server) for server in servers]
    settings = {"redis_url": shared["redis_url"], "redis_prefix": shared["redis_prefix"]}
    code, printed, _ = await run(*CLOSING, "--to", ANA, **settings)
    assert (code, own_lines(printed)) == (0, ["published to 2 server processes"])
    for ana in anas:
        assert await ana.receives(SERVER_CLOSING) == {"retry_in": 5}
    code, _, errors = await run(*CLOSING, "--to", ANA, **(settings | {"redis_prefix": "nobody"}))
    assert (code, own_lines(errors)) == (2, [f"{PACKAGE}: no server with the prefix nobody listens to this Redis"])


WRONG = [
    (["--data", "{}", "--to", ANA], "--event"),
    (["--event", SERVER_CLOSING, "--to", ANA], "--data"),
    (CLOSING, "--to"),
    (["--event", SERVER_CLOSING + "s", "--data", "{}", "--to", ANA], f"--event: .* nearest is {SERVER_CLOSING}"),
    (["--event", "", "--data", "{}", "--to", ANA], "--event: .* nearest is"),
    *((["--event", SERVER_CLOSING, "--data", data, "--to", ANA], "--data must be JSON") for data in ("", "{", "x")),
    *(
        (["--event", SERVER_CLOSING, "--data", data, "--to", ANA], "--data must be a JSON object")
        for data in ("[]", "1")
    ),
    (["--event", SERVER_CLOSING, "--data", "{}", "--to", ANA], r"--data: data\.retry_in: "),
    (["--event", SERVER_CLOSING, "--data", '{"retry_in": "5"}', "--to", ANA], r"--data: data\.retry_in: "),
    (["--event", SERVER_CLOSING, "--data", '{"retry_in": NaN}', "--to", ANA], "--data: "),
    (["--event", SESSION_EVICTED, "--data", '{"limit": 1, "more": 2}', "--to", ANA], r"--data: data\.more: "),
    *(([*CLOSING, "--to", room], "--to: ") for room in ("", "ana", role_room("driverz"), "*")),
    ([*CLOSING, "--to", ANA, "--colour", "red"], "--colour"),
]


@pytest.mark.parametrize(("arguments", "named"), WRONG)
async def test_a_wrong_argument_is_reported_in_one_line(run, arguments, named):
    code, printed, errors = await run(*arguments, publish_token=PUBLISH_TOKEN, internal_port=lasting_port())
    assert (code, printed, errors.count("\n")) == (2, "", 1)
    assert re.search(named, errors)


async def test_a_missing_or_wrong_token_is_reported(server, serve, run):
    port = port_of(server)
    code, _, errors = await run(*CLOSING, "--to", ANA, internal_port=port)
    assert (code, own_lines(errors)[0].startswith(f"{PACKAGE}: SERVER_PUBLISH_TOKEN is missing")) == (2, True)
    code, _, errors = await run(*CLOSING, "--to", ANA, internal_port=port, publish_token="x" * 40)
    assert (code, own_lines(errors)) == (2, [f"{PACKAGE}: SERVER_PUBLISH_TOKEN is not the token of the server"])
    closed = await serve()
    code, _, errors = await run(*CLOSING, "--to", ANA, internal_port=port_of(closed), publish_token="x" * 40)
    assert (code, "SERVER_PUBLISH_TOKEN is not set" in errors) == (2, True)


async def test_a_server_that_is_not_there_is_reported(run):
    port = lasting_port()
    code, _, errors = await run(*CLOSING, "--to", ANA, internal_port=port, publish_token=PUBLISH_TOKEN)
    assert (code, errors) == (2, f"{PACKAGE}: no server at http://127.0.0.1:{port}: Connection refused\n")
    url = f"redis://:secret@127.0.0.1:{port}/0"
    code, _, errors = await run(*CLOSING, "--to", ANA, redis_url=url)
    assert (code, errors.count("\n"), "secret" in errors) == (2, 1, False)
    assert errors.startswith(f"{PACKAGE}: SERVER_REDIS_URL: Redis is away")


async def test_a_port_of_another_program_is_reported(run, monkeypatch):
    monkeypatch.setattr(publish_command, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = {"internal_port": silent.getsockname()[1], "publish_token": PUBLISH_TOKEN}
        code, _, errors = await run(*CLOSING, "--to", ANA, **settings)
    assert (code, errors.count("\n"), "no server at" in errors) == (2, 1, True)


def test_ctrl_c_ends_the_command_without_a_traceback():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = {"internal_port": silent.getsockname()[1], "publish_token": PUBLISH_TOKEN}
        command = [sys.executable, "-m", PACKAGE, "publish", *CLOSING, "--to", ANA]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, env=environment_of(settings), **pipes) as process:
            # it has sent its request, and waits
            connection, _ = silent.accept()
            with connection:
                assert json.dumps(PUBLISH_TOKEN)[1:-1] in connection.recv(4096).decode()
                process.send_signal(signal.SIGINT)
                printed, errors = process.communicate(timeout=PROCESS_SECONDS)
        assert (process.returncode, printed, errors) == (130, "", "")


def test_help_shows_an_example_that_works(capsys):
    with pytest.raises(SystemExit):
        command_line.main(["publish", "--help"])
    assert "example: " in capsys.readouterr().out
