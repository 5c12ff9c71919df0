"""Tests of several server processes with one port: start, restart and shutdown."""

import asyncio
import fcntl
import json
import os
import re
import signal
import socket
import sys
import termios
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import pairwise

import aiohttp
import psutil
import pytest

from ... import lifecycle
from ...__main__ import main
from ...cluster.shared_port import reserved
from ...cluster.supervisor import RESTART_SECONDS
from ...events import SERVER_CLOSING
from ...settings import Settings
from .. import server_processes
from ..package import PACKAGE, SERVER, child_program
from ..ports import lasting_port
from ..server_processes import STAND_IN_SERVER, connections
from ..stand_in import create_app
from ..tokens import PRODUCTION_ENVIRONMENT, production_token
from ..waiting import PROCESS_SECONDS

TWO_PROCESSES = (*STAND_IN_SERVER, "--workers", "2")
READY = re.compile(r"listening on (http://127\.0\.0\.1:\d+) \(internal (\S+), (\S+)\)\n")
# spread by chance: the probability that all connections are on one of two processes is 2 ** -39
MANY = 40
PROGRAM = """
import sys
from {package}.__main__ import run
from {package}.settings import load_settings
if __name__ == "__main__":
    sys.exit(run("program", load_settings(), lambda settings: {create}, workers=2))
"""


class Workers:
    """Two server processes and their parent, in one process group."""

    def __init__(self, process, line):
        self.process = process
        self.url, *self.internal_urls = READY.fullmatch(line).groups()

    def children(self, *, recursive=False):
        return psutil.Process(self.process.pid).children(recursive=recursive)

    def token(self, user, **claims):
        return production_token(user, **claims)

    async def logged(self, event):
        """Wait for the next log entry with this event, and return it."""
        while True:
            line = await asyncio.wait_for(self.process.stderr.readline(), PROCESS_SECONDS)
            assert line, f"the log ended without {event!r}"
            if json.loads(line)["event"] == event:
                return json.loads(line)

    async def ended(self):
        """Wait for the end of the parent process. Return its exit code, and the rest of stderr."""
        _, errors = await asyncio.wait_for(self.process.communicate(), PROCESS_SECONDS)
        return self.process.returncode, errors.decode()


def kill_group(process):
    """Kill all processes of the process group that `process` leads.

    A failed test may have left them. No other group can get this id while one of them runs.
    """
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def start(*command, redis, options=None, **settings):
    own = PRODUCTION_ENVIRONMENT | {"SERVER_REDIS_URL": redis.url} | settings
    return await server_processes.start(*command, options={"start_new_session": True} | (options or {}), **own)


@asynccontextmanager
async def serving(redis, *, program=TWO_PROCESSES, options=None, **settings):
    process = await start(*program, redis=redis, options=options, **settings)
    try:
        yield Workers(process, (await asyncio.wait_for(process.stdout.readline(), PROCESS_SECONDS)).decode())
    finally:
        kill_group(process)
        await process.communicate()


async def failed(process):
    """Wait for the end of a process whose start fails.

    Return its exit code, and the lines of stderr and of stdout.
    """
    try:
        printed, errors = await asyncio.wait_for(process.communicate(), PROCESS_SECONDS)
    finally:
        kill_group(process)
    return process.returncode, errors.decode().splitlines(), printed.decode().splitlines()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems may not spread them")
async def test_new_connections_are_spread_over_the_processes(redis, http, dial):
    async with serving(redis) as servers:
        wires = [await dial(to=servers, token=servers.token(f"user-{number}")) for number in range(MANY)]
        counts = [await connections(http, url) for url in servers.internal_urls]
        assert sum(counts) == len(wires)
        assert min(counts) > 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_shuts_all_processes_down_gracefully(redis, connect, number):
    async with serving(redis) as servers:
        family = servers.children(recursive=True)
        tabs = [await connect("ana", to=servers, token=servers.token("ana")) for _ in range(4)]
        servers.process.send_signal(number)
        for tab in tabs:
            await tab.receives(SERVER_CLOSING)
        code, errors = await servers.ended()
        assert (code, "Traceback" in errors, errors.count('"closing"')) == (0, False, 2)
        assert (await asyncio.to_thread(psutil.wait_procs, family, timeout=PROCESS_SECONDS))[1] == []


async def test_repeated_ctrl_c_shuts_each_process_down_once(redis):
    async with serving(redis) as servers:
        for _ in range(2):
            os.killpg(servers.process.pid, signal.SIGINT)
        code, errors = await servers.ended()
        logged = [json.loads(line)["event"] for line in errors.splitlines()]
        assert (code, logged.count("closing")) == (0, 2)


async def test_a_terminal_that_closes_shuts_them_down(redis):
    terminal, theirs = os.openpty()
    take_it = {"stdin": theirs, "preexec_fn": partial(fcntl.ioctl, theirs, termios.TIOCSCTTY, 0)}
    async with serving(redis, options=take_it) as servers:
        os.close(theirs)
        os.close(terminal)
        code, errors = await servers.ended()
        assert (code, errors.count('"closing"')) == (0, 2)


@pytest.mark.timing
async def test_a_process_that_does_not_end_is_killed(redis):
    program = child_program("cluster.impatient_server")
    async with serving(redis, program=program, SERVER_SHUTDOWN_SECONDS="0.1") as servers:
        servers.children()[0].suspend()
        servers.process.terminate()
        code, errors = await servers.ended()
        assert (code, errors.count('"worker killed"')) == (0, 1)


async def test_no_process_outlives_a_parent_that_was_killed(redis, connect):
    async with serving(redis) as servers:
        family = servers.children(recursive=True)
        tab = await connect("ana", to=servers, token=servers.token("ana"))
        servers.process.kill()
        await tab.receives(SERVER_CLOSING)
        assert (await asyncio.to_thread(psutil.wait_procs, family, timeout=PROCESS_SECONDS))[1] == []


@pytest.mark.timing
async def test_a_killed_process_restarts_with_its_number_and_port(redis, http):
    async with serving(redis) as servers:
        servers.children()[0].kill()
        ended = await servers.logged("worker ended")
        assert ended["exit_code"] == -signal.SIGKILL
        ready = await servers.logged("worker ready")
        assert ready["worker"] == ended["worker"]
        assert ready["internal"] in servers.internal_urls
        assert [await connections(http, url) for url in servers.internal_urls] == [0, 0]


@pytest.mark.timing
async def test_a_process_that_keeps_dying_restarts_once_a_second(redis):
    async with serving(redis) as servers:
        started = []
        for _ in range(3):
            child = (
                servers.children()[0]
                if not started
                else psutil.Process((await servers.logged("worker ready"))["process"])
            )
            started.append(child.create_time())
            child.kill()
        pauses = [later - earlier for earlier, later in pairwise(started)]
        # the system reports start times in hundredths of a second
        assert min(pauses) > RESTART_SECONDS - 0.02


@pytest.mark.timing
async def test_sighup_restarts_one_process_at_a_time(redis):
    async with serving(redis) as servers:
        old = {child.pid for child in servers.children()}
        servers.process.send_signal(signal.SIGHUP)
        for number in (1, 2):
            assert (await servers.logged("closing"))["worker"] == number
            assert (await servers.logged("worker ready"))["worker"] == number
        assert old.isdisjoint(child.pid for child in servers.children())
        servers.process.terminate()
        assert (await servers.ended())[0] == 0


async def test_a_draining_process_accepts_no_new_connection(monkeypatch, dial, worker_pool):
    monkeypatch.setattr(lifecycle, "GOODBYE_SECONDS", 0.5)
    ready, stop = asyncio.get_running_loop().create_future(), asyncio.Event()
    application = create_app(Settings(port=lasting_port(), internal_port=0, report_workers=1))
    task = asyncio.create_task(lifecycle.serve(application, ready.set_result, stop, shares_port=True))
    url = (await asyncio.wait_for(ready, PROCESS_SECONDS)).public
    stop.set()
    while not application.admission.is_draining:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0)
    with pytest.raises(aiohttp.ClientConnectorError):
        async with aiohttp.ClientSession() as session:
            await session.get(url + "/healthz")
    await asyncio.wait_for(task, PROCESS_SECONDS)


@pytest.mark.parametrize("setting", ["SERVER_PORT", "SERVER_INTERNAL_PORT"])
async def test_a_taken_port_is_reported_in_one_line(redis, setting):
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as taken:
        port = str(taken.getsockname()[1])
        process = await start(*SERVER, "--workers", "2", redis=redis, **{setting: port})
        code, errors, printed = await failed(process)
    assert (code, printed) == (2, [])
    assert errors == [f"{PACKAGE}: cannot listen on 127.0.0.1:{port}: Address already in use"]


@pytest.mark.parametrize(
    ("create", "reason"),
    [
        ("open('/absent')", "No such file or directory"),
        ("sys.stdout.flush() or __import__('os')._exit(7)", "worker . ended at its start with exit code 7"),
    ],
)
async def test_a_process_that_fails_at_its_start_stops_all(redis, tmp_path, create, reason):
    (tmp_path / "program.py").write_text(PROGRAM.format(package=PACKAGE, create=create))
    code, errors, printed = await failed(await start("program.py", redis=redis))
    assert (code, printed, len(errors)) == (2, [], 1)
    assert re.fullmatch(f"program: {reason}", errors[0])


@pytest.fixture
def run_command(capsys):
    """`run_command(*arguments)` runs the command line. It returns the exit code, stdout and stderr."""

    def run(*arguments):
        try:
            code = main(list(arguments))
        except SystemExit as stopped:
            code = stopped.code
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("count", "settings", "named"),
    [
        ("2", {}, "SERVER_REDIS_URL: without Redis each process knows only its own sockets"),
        ("0", {}, "--workers"),
        ("-1", {}, "--workers"),
        ("two", {}, "--workers"),
        ("3", {"SERVER_REDIS_URL": "redis://127.0.0.1:1", "SERVER_INTERNAL_PORT": "65534"}, "SERVER_INTERNAL_PORT"),
    ],
)
def test_a_wrong_option_is_reported_in_one_line(run_command, monkeypatch, count, settings, named):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    code, printed, errors = run_command("--workers", count)
    assert (code, printed, errors.count("\n")) == (2, "", 1)
    assert named in errors


@pytest.mark.parametrize(("module", "name"), [(os, "fork"), (socket, "SO_REUSEPORT")])
def test_without_shared_ports_one_process_is_the_maximum(run_command, monkeypatch, module, name):
    monkeypatch.setenv("SERVER_REDIS_URL", "redis://127.0.0.1:1")
    monkeypatch.delattr(module, name)
    code, printed, errors = run_command("--workers", "2")
    assert (code, printed, errors.count("\n")) == (2, "", 1)
    assert "--workers" in errors


def test_a_reserved_port_cannot_be_bound_by_others():
    taken = pytest.raises(OSError, match="Address already in use")
    with reserved("127.0.0.1", 0) as port, socket.socket() as other, taken:
        other.bind(("127.0.0.1", port))


def test_help_names_the_option(run_command):
    code, printed, _ = run_command("--help")
    assert code == 0
    assert "--workers" in printed
