"""Rows 31 to 35 of what the server withstands: who reads slowly or not at all, who is lost, and its own end."""

import asyncio
import json
import os
import signal
import time
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from good_server.services import cpu
from good_server.tests.attacks import HERD_ROOM, SLOW_RECEIVE_BYTES, apart, bare, check_pace, server_apart

HERD = 1000
SLACK_MB = 16
# what the room is told while one of it does not read: more than the buffers of a connection hold
MESSAGES, TEXT_CHARACTERS = 6000, 4000
UNLIMITED = {"events_per_second": 1e9, "chat_per_second": 1e9}
CROWD = {"connects_per_second": 1e6, "sockets_per_address": 1e6}
# on the library's own path aiohttp waits another 10 s for a peer to answer its close
GONE_SECONDS = {"engine": 3.5, "stock": 15}


@pytest.fixture
def ana(server, new_tab):
    """`await ana(url)`: an innocent in a topic room, on any server with the settings of tests."""

    async def open_tab(url, **client):
        tab = new_tab(**client)
        # while its server is away it fails more than once
        tab.sio.on("connect_error", lambda data: None)
        await tab.connect(url, server.token("ana", rooms=["job:17"]))
        return tab

    return open_tab


async def pongs(reader):
    """All that this client still does."""
    while True:
        reader.send("3")
        await asyncio.sleep(0.3)


async def speak(speaker, text):
    """Tells the room, as fast as the acks come."""
    for number in range(MESSAGES):
        speaker.send(f'427["chat:send",{{"room":"job:17","text":"{text}"}}]')
        if number % 20 == 19:
            for _ in range(20):
                assert (await speaker.ack(7))["ok"]


async def hear(listener):
    """How many chat messages came, until all have."""
    heard = 0
    while heard < MESSAGES and (frame := await listener.frame()) is not None:
        heard += frame.startswith('42["chat:message"')
    return heard


async def check_slow_reader(child, token):
    """One of a room does not read: it is closed, memory stays flat, and the others hear everything."""
    url, rooms = child.url, {"rooms": ["job:17"]}
    async with (
        bare(url, token("slow", **rooms), receive_bytes=SLOW_RECEIVE_BYTES) as slow,
        bare(url, token("bob", **rooms)) as bob,
        bare(url, token("eve", **rooms)) as eve,
    ):
        before, ponging = await child.ask("user:slow"), asyncio.create_task(pongs(slow))
        assert before["members"] == 1
        heard, _ = await asyncio.gather(hear(eve), speak(bob, "x" * TEXT_CHARACTERS))
        after = await child.ask("user:slow")
        ponging.cancel()
    assert heard == MESSAGES
    assert after["members"] == 0, "was not closed"
    assert after["rss_mb"] - before["rss_mb"] < SLACK_MB
    return after


@pytest.mark.timeout(120)
async def test_row_31_a_reader_that_stops_but_pongs_is_closed(server, ana):
    async with server_apart(ping_interval_seconds=1, **UNLIMITED) as child:
        tab = await ana(child.url)
        after = await check_slow_reader(child, server.token)
        check_pace([after])
        assert (await tab.ask("room:leave", {"room": "job:17"}))["ok"]


@pytest.mark.timeout(120)
async def test_row_31_fails_without_its_defence(server):
    without = {"outbox_bytes": 10**9, "outbox_messages": 10**9, "write_seconds": 3600}
    async with server_apart(**without, **UNLIMITED) as child:
        with pytest.raises(AssertionError, match="was not closed"):
            await check_slow_reader(child, server.token)


async def check_half_open(server, until):
    """Peers that fell silent without a word are gone with the heartbeat."""
    async with bare(server.url, server.token("lost")), bare(server.url):
        began = time.monotonic()
        try:
            await until(
                lambda: server.application.doors.connections == 1, seconds=GONE_SECONDS[server.settings.delivery]
            )
        except TimeoutError:
            pytest.fail("were still there")
        # not before it, either
        assert time.monotonic() - began > 1
    assert server.members("user:lost") == 0


async def test_row_32_half_open_peers_are_gone_within_the_heartbeat(serve, ana, until):
    server = await serve(ping_interval_seconds=1, ping_timeout_seconds=1)
    tab = await ana(server.url)
    await check_half_open(server, until)
    assert (await tab.ask("room:leave", {"room": "job:17"}))["ok"]


async def test_row_32_fails_without_its_defence(serve, ana, until):
    server = await serve(ping_interval_seconds=1, ping_timeout_seconds=3600)
    await ana(server.url)
    with pytest.raises(pytest.fail.Exception, match="were still there"):
        await check_half_open(server, until)


@asynccontextmanager
async def herd_at(child):
    """A thousand clients in a process of their own, all of them in their room."""
    async with apart("attacks.py", "herd", child.url, str(HERD)) as herd:
        await child.until(HERD_ROOM, lambda answer: answer["members"] == HERD)
        yield herd


@pytest.mark.timeout(120)
async def test_row_32_a_thousand_cut_at_once_do_not_stall_the_loop(ana):
    async with server_apart(**CROWD) as child, herd_at(child) as herd:
        tab = await ana(child.url)
        await child.ask(HERD_ROOM)
        await herd.ask("cut")
        answers = await child.until(HERD_ROOM, lambda answer: answer["members"] == 0)
        check_pace(answers)
        assert (await tab.ask("room:leave", {"room": "job:17"}))["ok"]


COMES_BACK = {
    "reconnection": True,
    "reconnection_delay": 0.05,
    "reconnection_delay_max": 0.2,
    "randomization_factor": 0,
}


@pytest.mark.timeout(120)
async def test_row_33_at_sigterm_clients_are_warned_and_reconnect(ana):
    async with server_apart(**CROWD) as first, herd_at(first):
        tab = await ana(first.url, **COMES_BACK)
        await first.ask("job:17")
        first.process.send_signal(signal.SIGTERM)
        assert (await tab.hears("server:closing"))["retry_in"] > 0
        assert await tab.is_closed()
        last_words = json.loads(await first.line())
        assert await asyncio.wait_for(first.process.wait(), 10) == 0
    async with server_apart(port=urlsplit(first.url).port) as second:
        assert await tab.is_back()
        assert (await second.ask("job:17"))["members"] == 1
        assert (await tab.ask("chat:send", {"room": "job:17", "text": "back"}))["ok"]
    # last, as it may find that nothing can be said
    check_pace([last_words])


@pytest.mark.timeout(120)
async def test_row_34_after_a_sigkill_a_thousand_clients_rejoin(ana):
    async with server_apart(**CROWD) as first, herd_at(first) as herd:
        tab = await ana(first.url, **COMES_BACK)
        first.process.kill()
        await first.process.wait()
        async with server_apart(port=urlsplit(first.url).port, **CROWD) as second:
            check_pace(await second.until(HERD_ROOM, lambda answer: answer["members"] == HERD))
            assert await tab.is_back()
            assert (await second.ask("job:17"))["members"] == 1
            assert (await herd.ask("count"))["inside"] == HERD


async def check_jobs(server, tab, monkeypatch, fault):
    """A job that crashes or hangs ends with an error; then jobs are done again."""
    with monkeypatch.context() as patch:
        patch.setattr(cpu, "burn", fault)
        assert (await tab.ask("report:request", {"kind": "cpu", "size": 2000}))["ok"]
        try:
            async with asyncio.timeout(3):
                assert (await tab.hears("report:ready"))["error"]["code"] == "internal"
        except TimeoutError:
            pytest.fail("was not told of the end")
    await tab.ask("report:request", {"kind": "cpu", "size": 1})
    assert "result" in await tab.hears("report:ready")


@pytest.mark.parametrize("fault", [os._exit, time.sleep], ids=["crashes", "hangs"])
async def test_row_35_a_job_that_crashes_or_hangs_ends_with_an_error(serve, connect, monkeypatch, fault):
    server = await serve(report_seconds=1)
    tab, bob = await connect("ana", to=server), await connect("bob", to=server)
    await check_jobs(server, tab, monkeypatch, fault)
    assert (await bob.ask("room:leave", {"room": "job:17"}))["ok"]


async def test_row_35_fails_without_its_defence(serve, connect, monkeypatch):
    server = await serve(report_seconds=3600)
    with pytest.raises(pytest.fail.Exception, match="was not told of the end"):
        await check_jobs(server, await connect("ana", to=server), monkeypatch, time.sleep)


async def test_row_35_jobs_that_come_too_fast_get_busy(serve, connect):
    server = await serve(reports_waiting=64, **UNLIMITED)
    bob = await connect("bob", to=server)
    async with bare(server.url, server.token("ana")) as attacker:
        for number in range(500):
            attacker.send(f'42{number}["report:request",{{"kind":"outside","size":2000}}]')
        acks = [json.loads((await attacker.frame()).partition("[")[2][:-1]) for _ in range(500)]
        assert [ack["ok"] for ack in acks] == [True] * 64 + [False] * 436
        assert {ack["error"]["code"] for ack in acks[64:]} == {"busy"}
        assert (await bob.ask("room:leave", {"room": "job:17"}))["ok"]
