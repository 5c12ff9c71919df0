"""Test server processes: start, probe, kill, restart and stop."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import psutil
import pytest
from lab.clients.raw_tab import raw_tab
from lab.clients.tab import Person, tabs
from lab.servers import probed_server
from lab.servers.process import Server, ServerError
from lab.servers.running import running
from lab.system.own_process import in_own_process


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running("good") as server:
        yield server


async def test_two_users_with_two_tabs_each_chat(server: Server) -> None:
    async with tabs(server.target(1), [Person("ana"), Person("ben")], each=2) as (a1, a2, b1, b2):
        ack = await a1.ask("chat:send", {"to": "ben", "text": "hello"})
        assert ack["ok"]
        for tab in (a2, b1, b2):
            (received,) = await tab.received("chat:message")
            assert received.data["text"] == "hello"
        assert a1.inbox.of("chat:message") == []


async def test_a_cut_tab_reconnects_by_itself_with_a_new_id(server: Server) -> None:
    async with tabs(server.target(1), [Person("ana")], reconnection=True) as (tab,):
        await tab.link.cut()
        await tab.connected(2)
        assert len(set(tab.ids)) == 2


async def test_a_silent_connection_is_closed_with_its_tab(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[aiohttp.ClientResponse] = []
    start = aiohttp.ClientResponse.start

    async def record(response: aiohttp.ClientResponse, connection: Any) -> aiohttp.ClientResponse:
        opened.append(response)
        return await start(response, connection)

    monkeypatch.setattr(aiohttp.ClientResponse, "start", record)
    async with tabs(server.target(1), [Person("ana")], reconnection=True) as (tab,):
        await tab.link.go_silent()
        await tab.connected(2)
    assert [response.connection for response in opened] == [None, None]


async def test_a_raw_socket_gets_acks_and_notices_a_close(server: Server) -> None:
    target = server.target(1)
    async with aiohttp.ClientSession() as session, raw_tab(session, target) as tab:
        assert "sid" in await tab.connect(target.token("ana"))
        ack = await tab.ask("chat:send", {"to": "ben"})
        assert ack["error"]["field"] == "text"
        assert (await tab.ask("disconnect"))["error"]["code"] == "invalid"
        with pytest.raises(ConnectionError):
            await tab.ask("chat:send", {"to": "ben", "text": "still there?"})


async def test_the_probe_counts_emits_without_a_live_socket(server: Server) -> None:
    async with tabs(server.target(1), [Person("ana")]) as (tab,):
        await server.probe.reset()
        await tab.ask("chat:send", {"to": "nobody", "text": "anyone?"})
        counts = await server.probe.counts()
    assert (counts.emits, counts.addresses, counts.ghost_addresses) == (1, 2, 1)


async def test_the_probe_finds_a_live_id_and_no_dead_one(server: Server) -> None:
    async with tabs(server.target(1), [Person("ana")]) as (tab,):
        ids = list(tab.ids)
        ids_held, references = await server.probe.dead_ids_held(ids)
        assert ids_held == 1
        assert references >= 1
    async with asyncio.timeout(5):
        while (await server.probe.read()).connections:  # noqa: ASYNC110 - another process gives no event
            await asyncio.sleep(0.01)
    assert await server.probe.dead_ids_held(ids) == (0, 0)


@pytest.mark.timing
async def test_the_heap_walk_is_not_counted_as_lag(server: Server) -> None:
    await server.probe.reset()
    started = time.perf_counter()
    await server.probe.dead_ids_held(["x" * 20])
    walk_seconds = time.perf_counter() - started
    assert (await server.probe.read()).loop_lag_worst_seconds < walk_seconds / 2


async def test_a_killed_server_starts_again_on_its_port(server: Server) -> None:
    port = server.port
    await server.kill()
    await server.start_again()
    assert server.port == port
    assert (await server.probe.read()).connections == 0


async def test_a_failed_start_is_reported_in_one_line() -> None:
    with pytest.raises(ServerError, match=r"^the good server did not start: SettingsError: SERVER_PORT: .*$"):
        async with running("good", settings={"SERVER_PORT": "many"}):
            pass


def end_at_once(*_: object) -> None:
    """End the process before it opens its log."""
    os._exit(3)


async def test_a_process_that_ends_early_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probed_server, "run", end_at_once)
    with pytest.raises(ServerError, match=r"^the good server did not start: it ended without a message$"):
        async with running("good"):
            pass


async def test_no_process_remains_after_a_block_is_cancelled() -> None:
    started = asyncio.Event()
    pids: list[int] = []

    async def work() -> None:
        async with running("bad") as server:
            pids.append((await server.probe.read()).pid)
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not psutil.pid_exists(pids[0])


async def double(number: int) -> int:
    return number * 2


async def fail() -> None:
    raise ValueError("on purpose")


async def never_return() -> None:
    await asyncio.Event().wait()


async def test_work_in_its_own_process_returns_its_result_or_error() -> None:
    assert await in_own_process(double, 21) == 42
    with pytest.raises(ValueError, match="on purpose"):
        await in_own_process(fail)


async def test_work_in_its_own_process_ends_at_the_timeout() -> None:
    before: Any = {child.pid for child in psutil.Process().children(recursive=True)}
    with pytest.raises(TimeoutError, match="never_return"):
        await in_own_process(never_return, timeout=1.0)
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before
