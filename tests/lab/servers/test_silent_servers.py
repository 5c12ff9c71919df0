"""Test that a silent server is killed and named as the reason."""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from lab.servers import probe_client, process
from lab.servers.probe_client import ProbeClient, SilentServerError
from lab.servers.running import running

SPINNING = "spinning:create_app"
TIMEOUT_SECONDS = 15.0
SILENT_START = """
import os, pathlib, spinning

def create_app(settings):
    pathlib.Path(os.environ["PID_FILE"]).write_text(str(os.getpid()))
    spinning.spin_in_c()
"""
ARGUMENTS: dict[str, Any] = {
    "path": "/readyz",
    "ids": ["x"],
    "namespace": "/",
    "socket_ids": ["x"],
    "mark": "m",
    "addresses": ["/ x"],
    "timeout": 0.2,
}


@pytest.fixture(autouse=True)
def spinning_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


async def make_spin(server: Any, kind: str) -> int:
    """Let a server process spin, and return its process id. The request gets no answer."""
    pid: int = (await server.probe.read()).pid
    async with aiohttp.ClientSession() as session:
        with contextlib.suppress(TimeoutError):
            await session.get(f"{server.url}/spin/{kind}", timeout=aiohttp.ClientTimeout(total=0.3))
    return pid


async def ask_while_it_spins(kind: str, pids: list[int]) -> None:
    async with running(SPINNING) as server:
        pids.append(await make_spin(server, kind))
        await server.probe.read()


@pytest.mark.parametrize("kind", ["c", "python"])
async def test_a_spinning_server_is_killed_at_the_next_question(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_client, "ANSWER_SECONDS", 1.0)
    pids: list[int] = []
    with pytest.raises(SilentServerError, match=rf"^the {SPINNING} server \(process \d+\) did not answer its probe"):
        await ask_while_it_spins(kind, pids)
    assert not psutil.pid_exists(pids[0])


@pytest.mark.parametrize("kind", ["c", "python"])
async def test_a_spinning_server_is_found_without_a_question(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "WATCH_SECONDS", 0.1)
    monkeypatch.setattr(process, "ANSWER_SECONDS", 1.0)
    async with running(SPINNING) as server:
        pid = await make_spin(server, kind)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while psutil.pid_exists(pid):  # noqa: ASYNC110 - the system gives no event
                await asyncio.sleep(0.02)


async def fail_while_it_spins() -> None:
    async with running(SPINNING) as server:
        await make_spin(server, "c")
        raise TimeoutError("no ack")


async def test_a_silent_server_is_the_reason_of_a_clients_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "DOUBT_SECONDS", 1.0)
    with pytest.raises(SilentServerError):
        await fail_while_it_spins()


async def ask_a_fleet_while_one_spins() -> None:
    async with running(SPINNING, workers=2) as fleet:
        await make_spin(fleet.processes[1], "c")
        await fleet.probe.counts()


async def test_every_process_of_a_fleet_has_to_answer(monkeypatch: pytest.MonkeyPatch, redis_program: str) -> None:
    monkeypatch.setattr(probe_client, "ANSWER_SECONDS", 1.0)
    with pytest.raises(SilentServerError):
        await ask_a_fleet_while_one_spins()


async def fail(*, is_killed: bool) -> None:
    async with running("good") as server:
        if is_killed:
            await server.kill()
        raise ValueError("on purpose")


@pytest.mark.parametrize("is_killed", [False, True])
async def test_an_error_stays_when_the_server_answers_or_is_gone(is_killed: bool) -> None:
    with pytest.raises(ValueError, match="on purpose"):
        await fail(is_killed=is_killed)


@pytest.fixture
async def silent_url() -> AsyncIterator[str]:
    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(never_answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


# all other methods ask through `ask`
QUESTIONS = [
    name
    for name, method in vars(ProbeClient).items()
    if name[0] != "_" and name != "ask" and inspect.iscoroutinefunction(method)
]


@pytest.mark.parametrize("name", QUESTIONS)
async def test_every_question_has_a_time_limit(name: str, silent_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_client, "ANSWER_SECONDS", 0.2)
    async with aiohttp.ClientSession() as session:
        question = getattr(ProbeClient(session, silent_url), name)
        wanted = inspect.signature(question).parameters
        async with asyncio.timeout(TIMEOUT_SECONDS):
            with pytest.raises(SilentServerError):
                await question(**{name: ARGUMENTS[name] for name in wanted})


async def test_an_internal_path_has_a_time_limit_of_its_own(silent_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_client, "ANSWER_SECONDS", 0.2)
    async with aiohttp.ClientSession() as session:
        client = ProbeClient(session, "unused")

        async def answer(*_: Any, **__: Any) -> dict[str, str]:
            return {"url": silent_url}

        monkeypatch.setattr(client, "_json", answer)
        with pytest.raises(SilentServerError):
            await client.internal("/metrics")


async def test_a_server_that_is_silent_at_its_start_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program, pid_file = tmp_path / "spinning_start.py", tmp_path / "pid"
    program.write_text(SILENT_START)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(process, "START_SECONDS", 3.0)
    monkeypatch.setattr(process, "END_SECONDS", 1.0)
    with pytest.raises(process.ServerError, match=r"did not start: no answer in 3 s"):
        await start(running("spinning_start:create_app", settings={"PID_FILE": str(pid_file)}))
    assert not psutil.pid_exists(int(pid_file.read_text()))


async def start(server: Any) -> None:
    async with server:
        pass
