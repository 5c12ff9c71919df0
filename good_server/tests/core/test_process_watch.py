"""Tests of the event loop's lag, and of missing file descriptors."""

import asyncio
import json
import re
import resource
import signal
import time

import pytest
from structlog.testing import capture_logs

from ... import process_watch
from ...background import Background
from ...observability import Metrics
from ...process_watch import OTHER_FILES, ProcessWatch, open_files_limit
from ...settings import Settings
from ..package import IMPORT_FOLDER, SERVER
from ..server_processes import start
from ..tokens import PRODUCTION_ENVIRONMENT
from ..waiting import PROCESS_SECONDS
from ..wire import address_of

FEW_FILES = 80
READY = re.compile(rb"listening on (http://\S+) \(internal (http://\S+)\)\n")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(process_watch, "WATCH_SECONDS", 0.05)


async def test_a_blocked_loop_shows_in_the_lag(serve, http):
    server = await serve()
    lag = server.application.guards.metrics.loop_lag
    asyncio.get_running_loop().call_soon(time.sleep, 0.3)
    async with asyncio.timeout(10):
        while lag._sum.get() < 0.2:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.02)
    async with http.get(server.internal_url + "/metrics") as answer:
        exposed = await answer.text()
    assert re.search(r'^server_loop_lag_seconds_bucket\{le="5.0"\} [1-9]', exposed, re.MULTILINE)
    for name in ("process_open_fds", "process_resident_memory_bytes", "process_cpu_seconds_total"):
        assert re.search(rf"^{name} [\d.e+]+$", exposed, re.MULTILINE)


async def test_a_change_of_free_files_is_logged_once(monkeypatch):
    free = iter([True, False, False, False, True, True, False])
    monkeypatch.setattr(process_watch, "can_open_file", lambda: next(free))
    metrics = Metrics()
    watch = ProcessWatch(Settings(), metrics)
    with capture_logs() as logs:
        for _ in range(7):
            await watch.look()
    assert [entry["log_level"] for entry in logs] == ["error", "info", "error"]
    assert b"server_out_of_files_total 2.0" in metrics.exposition()


@pytest.mark.parametrize("missing", [0, 1])
async def test_too_low_a_limit_of_open_files_warns_at_start(missing):
    background = Background(Metrics())
    watch = ProcessWatch(Settings(connections=open_files_limit() - OTHER_FILES + missing), Metrics())
    with capture_logs() as logs:
        watch.start(background)
        await background.stop()
    assert [entry["event"] for entry in logs] == ["the limit of open files is too low"] * missing


def allow_few_files():
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_FILES, FEW_FILES))


@pytest.mark.slow
@pytest.mark.parametrize("has_uvloop", [True, False])
async def test_a_server_without_free_files_says_so_and_recovers(http, tmp_path, has_uvloop):
    if not has_uvloop:
        (tmp_path / "uvloop.py").write_text("raise ImportError\n")
    limits = {"SERVER_SOCKETS_PER_ADDRESS": "1000", "PYTHONPATH": f"{tmp_path}:{IMPORT_FOLDER}"}
    process = await start(*SERVER, options={"preexec_fn": allow_few_files}, **PRODUCTION_ENVIRONMENT, **limits)
    try:
        ready = READY.fullmatch(await asyncio.wait_for(process.stdout.readline(), PROCESS_SECONDS))
        await asyncio.wait_for(read_until(process, "the limit of open files is too low"), PROCESS_SECONDS)
        clients = [await asyncio.open_connection(*address_of(ready[1].decode())) for _ in range(FEW_FILES)]
        await asyncio.wait_for(read_until(process, "no file descriptor is left"), PROCESS_SECONDS)
        # longer than the watch's pause, so that a second entry would come
        await asyncio.sleep(1.5)
        for _, writer in clients:
            writer.transport.abort()
        between = await asyncio.wait_for(read_until(process, "file descriptors are free again"), PROCESS_SECONDS)
        assert between == []
        async with http.get(ready[2].decode() + "/metrics") as answer:
            assert "server_out_of_files_total 1.0" in await answer.text()
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), PROCESS_SECONDS)
    assert process.returncode == 0


async def read_until(process, start_of_event):
    """Read the log until an entry begins with this text. Return the entries before it."""
    before = []
    while True:
        entry = json.loads(await process.stderr.readline())
        if entry["event"].startswith(start_of_event):
            return before
        before.append(entry)
