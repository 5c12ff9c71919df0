"""Tests of row 31 of `WITHSTANDS.md`: slow readers are disconnected."""

import asyncio

import pytest

from ...events import ROOM_LEAVE
from ...rooms import user_room
from ..pace import check_pace
from ..server_processes import watched_server
from ..stand_in import NOTE_RECEIVED, NOTE_SEND, NOTES_PER_SECOND, topic
from ..wire import SLOW_RECEIVE_BYTES, bare, event_text

pytestmark = pytest.mark.timing

TOPIC = topic("17")
SLACK_MB = 16
# sent to the room while one member does not read: more than the buffers of a connection hold
MESSAGES, TEXT_CHARACTERS = 6000, 4000
UNLIMITED = {"events_per_second": 1e9, NOTES_PER_SECOND: 1e9}


@pytest.fixture
def ana(server, new_tab):
    """`await ana(url)` connects the uninvolved user ana to the server at `url`. She is in the topic room."""

    async def open_tab(url, **client):
        tab = new_tab(**client)
        # it fails more than once while its server is down
        tab.sio.on("connect_error", lambda data: None)
        await tab.connect(url, server.token("ana", rooms=[TOPIC]))
        return tab

    return open_tab


async def send_pongs(reader):
    """Send pongs to the server, and read nothing from it."""
    while True:
        reader.send("3")
        await asyncio.sleep(0.3)


async def send_notes(sender, text):
    """Send `MESSAGES` notes to the topic room, as fast as acks arrive."""
    note = event_text(NOTE_SEND, {"room": TOPIC, "text": text}, id=7)
    for number in range(MESSAGES):
        sender.send(note)
        if number % 20 == 19:
            for _ in range(20):
                assert (await sender.ack(7))["ok"]


async def count_notes(receiver):
    """Return how many notes the receiver got.

    It stops at `MESSAGES` notes, or when the server closes the connection.
    """
    received = 0
    while received < MESSAGES and (frame := await receiver.frame()) is not None:
        received += frame.startswith(f'42["{NOTE_RECEIVED}"')
    return received


async def check_slow_reader(child, token):
    """Assert that the server disconnects a room member that reads nothing.

    The server's memory does not grow, and the other members receive every message.
    """
    url, rooms = child.url, {"rooms": [TOPIC]}
    async with (
        bare(url, token("slow", **rooms), receive_bytes=SLOW_RECEIVE_BYTES) as slow,
        bare(url, token("bob", **rooms)) as bob,
        bare(url, token("eve", **rooms)) as eve,
    ):
        before, ponging = await child.ask(user_room("slow")), asyncio.create_task(send_pongs(slow))
        assert before["members"] == 1
        received, _ = await asyncio.gather(count_notes(eve), send_notes(bob, "x" * TEXT_CHARACTERS))
        after = await child.ask(user_room("slow"))
        ponging.cancel()
    assert received == MESSAGES
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
        assert (await tab.ask(ROOM_LEAVE, {"room": TOPIC}))["ok"]


@pytest.mark.timeout(120)
async def test_row_31_fails_without_its_defence(server):
    without = {"outbox_bytes": 10**9, "outbox_messages": 10**9, "write_seconds": 3600}
    async with watched_server(**without, **UNLIMITED) as child:
        with pytest.raises(AssertionError, match="was not closed"):
            await check_slow_reader(child, server.token)
