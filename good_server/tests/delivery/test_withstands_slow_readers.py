"""Row 31 of the ledger: slow consumers are disconnected."""

import asyncio

import pytest

from ..pace import check_pace
from ..server_processes import watched_server
from ..wire import SLOW_RECEIVE_BYTES, bare

pytestmark = pytest.mark.timing

SLACK_MB = 16
# what the room receives while one of it does not read: more than the buffers of a connection hold
MESSAGES, TEXT_CHARACTERS = 6000, 4000
UNLIMITED = {"events_per_second": 1e9, "chat_per_second": 1e9}


@pytest.fixture
def ana(server, new_tab):
    """`await ana(url)`: a bystander in a topic room, on any server."""

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
    """Assert that a member that does not read is closed. Memory stays flat, and the others receive everything."""
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


@pytest.mark.no_pace("its server is measured in its own process")
@pytest.mark.timeout(120)
async def test_row_31_a_reader_that_stops_but_pongs_is_closed(server, ana):
    async with watched_server(ping_interval_seconds=1, **UNLIMITED) as child:
        tab = await ana(child.url)
        after = await check_slow_reader(child, server.token)
        check_pace([after])
        assert (await tab.ask("room:leave", {"room": "job:17"}))["ok"]


@pytest.mark.timeout(120)
async def test_row_31_fails_without_its_defence(server):
    without = {"outbox_bytes": 10**9, "outbox_messages": 10**9, "write_seconds": 3600}
    async with watched_server(**without, **UNLIMITED) as child:
        with pytest.raises(AssertionError, match="was not closed"):
            await check_slow_reader(child, server.token)
