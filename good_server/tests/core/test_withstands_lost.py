"""Tests of rows 32 to 34 of `WITHSTANDS.md`: lost clients, shutdown."""

import asyncio
import json
import signal
import time
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from ...events import SERVER_CLOSING
from ...rooms import user_room
from ..attackers import HERD_ROOM
from ..pace import check_pace
from ..server_processes import running_child, watched_server
from ..servers import ONE_ADDRESS
from ..stand_in import LEAVE, NOTE_SEND, topic
from ..wire import bare

pytestmark = pytest.mark.timing

HERD = 1000
CROWD = ONE_ADDRESS | {"connects_per_second": 1e6, "sockets_per_address": 1e6}
# on the library's own path aiohttp waits another 10 s for the close frame of the peer
GONE_SECONDS = {"engine": 3.5, "stock": 15}


@pytest.fixture
def ana(server, new_tab):
    """`await ana(url)` connects the uninvolved user ana to the server at `url`. She is in a topic room."""

    async def open_tab(url, **client):
        tab = new_tab(**client)
        # several attempts fail while the server is down
        tab.sio.on("connect_error", lambda data: None)
        await tab.connect(url, server.token("ana", rooms=[topic("17")]))
        return tab

    return open_tab


async def check_half_open(server, until):
    """Assert that the heartbeat closes connections of clients that stopped answering."""
    async with bare(server.url, server.token("lost")), bare(server.url):
        began = time.monotonic()
        try:
            await until(
                lambda: server.application.limits.connections == 1, seconds=GONE_SECONDS[server.settings.delivery]
            )
        except TimeoutError:
            pytest.fail("were still connected")
        # and not earlier
        assert time.monotonic() - began > 1
    assert server.members(user_room("lost")) == 0


async def test_row_32_half_open_peers_are_gone_within_the_heartbeat(serve, ana, until):
    server = await serve(ping_interval_seconds=1, ping_timeout_seconds=1)
    tab = await ana(server.url)
    await check_half_open(server, until)
    assert (await tab.ask(*LEAVE))["ok"]


async def test_row_32_fails_without_its_defence(serve, ana, until):
    server = await serve(ping_interval_seconds=1, ping_timeout_seconds=3600)
    await ana(server.url)
    with pytest.raises(pytest.fail.Exception, match="were still connected"):
        await check_half_open(server, until)


@asynccontextmanager
async def herd_at(child):
    """Yield a process with a thousand clients of the server `child`. All of them are in the same room."""
    async with running_child("attackers", "herd", child.url, str(HERD)) as herd:
        await child.until(HERD_ROOM, lambda answer: answer["members"] == HERD)
        yield herd


@pytest.mark.timeout(120)
async def test_row_32_a_thousand_cut_at_once_do_not_stall_the_loop(ana):
    async with watched_server(**CROWD) as child, herd_at(child) as herd:
        tab = await ana(child.url)
        await child.ask(HERD_ROOM)
        await herd.ask("cut")
        answers = await child.until(HERD_ROOM, lambda answer: answer["members"] == 0)
        check_pace(answers)
        assert (await tab.ask(*LEAVE))["ok"]


COMES_BACK = {
    "reconnection": True,
    "reconnection_delay": 0.05,
    "reconnection_delay_max": 0.2,
    "randomization_factor": 0,
}


@pytest.mark.timeout(120)
async def test_row_33_at_sigterm_clients_are_warned_and_reconnect(ana):
    async with watched_server(**CROWD) as first, herd_at(first):
        tab = await ana(first.url, **COMES_BACK)
        await first.ask(topic("17"))
        first.process.send_signal(signal.SIGTERM)
        assert (await tab.receives(SERVER_CLOSING))["retry_in"] > 0
        assert await tab.is_closed()
        last_words = json.loads(await first.line())
        assert await asyncio.wait_for(first.process.wait(), 10) == 0
    async with watched_server(port=urlsplit(first.url).port) as second:
        assert await tab.is_back()
        assert (await second.ask(topic("17")))["members"] == 1
        assert (await tab.ask(NOTE_SEND, {"room": topic("17"), "text": "back"}))["ok"]
    # last, as it may skip the test as inconclusive
    check_pace([last_words])


@pytest.mark.timeout(120)
async def test_row_34_after_a_sigkill_a_thousand_clients_rejoin(ana):
    async with watched_server(**CROWD) as first, herd_at(first) as herd:
        tab = await ana(first.url, **COMES_BACK)
        first.process.kill()
        await first.process.wait()
        async with watched_server(port=urlsplit(first.url).port, **CROWD) as second:
            check_pace(await second.until(HERD_ROOM, lambda answer: answer["members"] == HERD))
            assert await tab.is_back()
            assert (await second.ask(topic("17")))["members"] == 1
            assert (await herd.ask("count"))["inside"] == HERD
