"""Tests of two server processes behind a real nginx.

nginx has the deployed configuration. All clients have the same address, so some tests raise nginx's limit on new
connections from one address.
"""

import asyncio
import contextlib
import sys
import time
from collections import namedtuple

import aiohttp
import pytest
import pytest_asyncio

from .. import client_fleet
from ..nginx import LIMIT, proxied
from ..programs import installed
from ..server_processes import serving
from ..stand_in import NOTE_RECEIVED, NOTE_SEND, topic
from ..tokens import production_token
from ..waiting import PROCESS_SECONDS
from ..wire import SOCKETIO, UPGRADE_HEADERS
from .rolling import BACK_SECONDS, FEW_CLIENTS, received_twice, rolled, shared_by

pytestmark = pytest.mark.needs("deploy")

# fewer than one user may have, and than nginx accepts at once
TABS = 6
SWITCHING_PROTOCOLS = 101
TOPIC = topic("17")

Site = namedtuple("Site", "url servers")


@pytest_asyncio.fixture(loop_scope="session")
async def site(redis, tmp_path):
    """`async with site(**settings) as (url, servers)` starts nginx and two server processes."""

    @contextlib.asynccontextmanager
    async def start(*, limit=LIMIT, **settings):
        # first: without nginx no process is needed
        installed("nginx")
        pings = {"ping_interval_seconds": 2, "ping_timeout_seconds": 2}
        own = shared_by(redis, tmp_path.name[-40:]) | {"trusted_proxies": "127.0.0.1"} | pings | settings
        async with (
            serving(tmp_path, 2, **own) as servers,
            proxied(tmp_path, [server.url for server in servers], limit) as url,
        ):
            yield Site(url, servers)

    return start


async def connections(http, servers):
    return [count for server in servers for count in await server.connections(http)]


async def received_until(tab, text):
    """Return the texts that the tab receives, up to `text`."""
    texts = []
    while text not in texts:
        texts.append((await tab.receives(NOTE_RECEIVED))["text"])
    return texts


async def test_tabs_on_both_processes_get_each_message_once(site, http, new_tab):
    async with site() as (url, servers):
        tabs = [new_tab() for _ in range(4)]
        for tab in tabs:
            await tab.connect(url, production_token("ana"))
        assert await connections(http, servers) == [2, 2]
        bob = new_tab()
        await bob.connect(url, production_token("bob"))
        for text in ("hello", "last"):
            assert (await bob.ask(NOTE_SEND, {"to": "ana", "text": text}))["ok"]
        assert [await received_until(tab, "last") for tab in tabs] == [["hello", "last"]] * 4


@pytest.mark.timing
async def test_clients_of_a_killed_process_rejoin_on_the_other(site, http, new_tab, until):
    async with site() as (url, servers):
        tabs = [new_tab(reconnection=True) for _ in range(TABS)]
        for tab in tabs:
            await tab.connect(url, production_token("ana", rooms=[TOPIC]))
        killed, left = servers
        await killed.kill()
        await until(lambda: sum(tab.closed.is_set() for tab in tabs) == TABS // 2)
        lost_at = time.monotonic()
        for tab in tabs:
            await tab.is_back()
        assert time.monotonic() - lost_at < BACK_SECONDS
        assert await connections(http, [left]) == [TABS]
        assert (await tabs[0].ask(NOTE_SEND, {"room": TOPIC, "text": "hello"}))["ok"]
        assert [await received_until(tab, "hello") for tab in tabs[1:]] == [["hello"]] * (TABS - 1)


async def connect_repeatedly(http, url, statuses, stop):
    """Connect again and again until `stop` is set. Append the HTTP status of each attempt to `statuses`."""
    while not stop.is_set():
        try:
            async with http.ws_connect(url + SOCKETIO):
                statuses.append(SWITCHING_PROTOCOLS)
        except aiohttp.WSServerHandshakeError as refused:
            statuses.append(refused.status)


@pytest.mark.timing
async def test_new_clients_are_admitted_during_a_rolling_restart(site, http):
    statuses, stop = [], asyncio.Event()
    async with site(limit="rate=1000r/s") as (url, servers):
        connecting = asyncio.create_task(connect_repeatedly(http, url, statuses, stop))
        for server in servers:
            assert await server.end() == 0
            await server.start()
        stop.set()
        await asyncio.wait_for(connecting, PROCESS_SECONDS)
    assert len(statuses) > 50
    assert set(statuses) == {SWITCHING_PROTOCOLS}


async def test_busy_processes_answer_with_retry_after(site, http):
    statuses = {}
    async with site(connects_per_second=0.1) as (url, _), asyncio.timeout(PROCESS_SECONDS):
        while 503 not in statuses:
            # only a valid handshake uses the rate
            async with http.get(url + SOCKETIO, headers=UPGRADE_HEADERS) as response:
                statuses[response.status] = response.headers.get("Retry-After")
                if response.status == SWITCHING_PROTOCOLS:
                    response.close()
    assert int(statuses[503]) > 0


async def open_too_many(http, url, opened):
    """Open more connections than one address may have.

    Each connection claims another address in its header `X-Forwarded-For`. A few too many may be accepted before the
    processes have shared their counts.
    """
    for number in range(TABS):
        claim = {"X-Forwarded-For": f"203.0.113.{number}"}
        await opened.enter_async_context(http.ws_connect(url + SOCKETIO, headers=claim))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have one loopback address")
async def test_connections_are_counted_by_the_real_client_address(site, http):
    elsewhere = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
    async with (
        site(sockets_per_address=2) as (url, _),
        contextlib.AsyncExitStack() as opened,
        aiohttp.ClientSession(connector=elsewhere) as other,
    ):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await open_too_many(http, url, opened)
        assert refused.value.status == 429
        async with client_fleet.connected(other, url, production_token("ana")) as line:
            assert (await line.ask(NOTE_SEND, {"to": "bob", "text": "hello"}))["ok"]


async def test_metrics_and_readiness_are_on_the_internal_port_only(site, http):
    async with site() as (url, servers):
        for path in ("/metrics", "/readyz"):
            asked = [url, *(server.url for server in servers), *(server.internal_urls[0] for server in servers)]
            assert [await status(http, each + path) for each in asked] == [404, 404, 404, 200, 200]


async def status(http, url):
    async with http.get(url) as response:
        return response.status


@pytest.mark.timing
async def test_a_rolling_restart_neither_loses_nor_repeats_messages(site, many):
    async with site(limit="rate=1000r/s") as (url, servers):
        outcome = await rolled(many, servers, FEW_CLIENTS, urls=[url], pause_seconds=0.2)
    received = {text for tab in outcome.tabs for text in tab.received}
    assert {note.text for note in outcome.notes} - received == set()
    assert received_twice(outcome) == []
    acked_twice = [note for note in outcome.notes if len(note.acks) > 1]
    assert acked_twice
    assert all(len({id for _, id in note.acks}) == 1 for note in acked_twice)
