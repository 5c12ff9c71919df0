"""Two processes behind the real nginx with the deployed configuration.

Where many clients come from this one address, its limit on new connections is raised, too.
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
from ..tokens import production_token
from ..waiting import PROCESS_SECONDS
from ..wire import SOCKETIO
from .rolling import BACK_SECONDS, FEW_CLIENTS, heard_twice, rolled, shared_by

pytestmark = pytest.mark.needs("deploy")

# below what a user may have, and what the file lets in at once
TABS = 6
LET_IN = 101

Site = namedtuple("Site", "url servers")


@pytest_asyncio.fixture(loop_scope="session")
async def site(redis, tmp_path):
    """`async with site(any_setting=…) as (url, servers)`: nginx and two processes."""

    @contextlib.asynccontextmanager
    async def start(*, limit=LIMIT, **settings):
        # before the processes, as they would be for nothing
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


async def heard_until(tab, text):
    """The texts up to this one."""
    texts = []
    while text not in texts:
        texts.append((await tab.hears("chat:message"))["text"])
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
            assert (await bob.ask("chat:send", {"to": "ana", "text": text}))["ok"]
        assert [await heard_until(tab, "last") for tab in tabs] == [["hello", "last"]] * 4


@pytest.mark.timing
async def test_clients_of_a_killed_process_rejoin_on_the_other(site, http, new_tab, until):
    async with site() as (url, servers):
        tabs = [new_tab(reconnection=True) for _ in range(TABS)]
        for tab in tabs:
            await tab.connect(url, production_token("ana", rooms=["job:17"]))
        killed, left = servers
        await killed.kill()
        await until(lambda: sum(tab.closed.is_set() for tab in tabs) == TABS // 2)
        lost_at = time.monotonic()
        for tab in tabs:
            await tab.is_back()
        assert time.monotonic() - lost_at < BACK_SECONDS
        assert await connections(http, [left]) == [TABS]
        assert (await tabs[0].ask("chat:send", {"room": "job:17", "text": "hello"}))["ok"]
        assert [await heard_until(tab, "hello") for tab in tabs[1:]] == [["hello"]] * (TABS - 1)


async def comes(http, url, statuses, stop):
    """Connects again and again; keeps what each try ended in."""
    while not stop.is_set():
        try:
            async with http.ws_connect(url + SOCKETIO):
                statuses.append(LET_IN)
        except aiohttp.WSServerHandshakeError as refused:
            statuses.append(refused.status)


@pytest.mark.timing
async def test_new_clients_are_admitted_during_a_rolling_restart(site, http):
    statuses, stop = [], asyncio.Event()
    async with site(limit="rate=1000r/s") as (url, servers):
        coming = asyncio.create_task(comes(http, url, statuses, stop))
        for server in servers:
            assert await server.end() == 0
            await server.start()
        stop.set()
        await asyncio.wait_for(coming, PROCESS_SECONDS)
    assert len(statuses) > 50
    assert set(statuses) == {LET_IN}


async def test_busy_processes_answer_with_retry_after(site, http):
    statuses = {}
    async with site(connects_per_second=0.1) as (url, _), asyncio.timeout(PROCESS_SECONDS):
        while 503 not in statuses:
            async with http.get(url + SOCKETIO) as response:
                statuses[response.status] = response.headers.get("Retry-After")
    assert int(statuses[503]) > 0


async def come_too_often(http, url, opened):
    """Open more connections than allowed, each with its own claim. A few may pass before counts are shared."""
    for number in range(TABS):
        claim = {"X-Forwarded-For": f"203.0.113.{number}"}
        await opened.enter_async_context(http.ws_connect(url + SOCKETIO, headers=claim))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere this machine has one loopback address")
async def test_a_client_counts_by_its_own_address_alone(site, http):
    elsewhere = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
    async with (
        site(sockets_per_address=2) as (url, _),
        contextlib.AsyncExitStack() as opened,
        aiohttp.ClientSession(connector=elsewhere) as other,
    ):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await come_too_often(http, url, opened)
        assert refused.value.status == 429
        async with client_fleet.connected(other, url, production_token("ana")) as line:
            assert (await line.ask("chat:send", {"to": "bob", "text": "hello"}))["ok"]


async def test_what_is_inside_is_asked_of_the_processes_alone(site, http):
    async with site() as (url, servers):
        for path in ("/metrics", "/readyz"):
            asked = [url, *(server.url for server in servers), *(server.internal_urls[0] for server in servers)]
            assert [await status(http, each + path) for each in asked] == [404, 404, 404, 200, 200]


async def status(http, url):
    async with http.get(url) as response:
        return response.status


@pytest.mark.timing
async def test_a_rolling_restart_loses_and_doubles_no_message(site, many):
    async with site(limit="rate=1000r/s") as (url, servers):
        outcome = await rolled(many, servers, FEW_CLIENTS, urls=[url], pause_seconds=0.2)
    heard = {text for tab in outcome.tabs for text in tab.heard}
    assert {letter.text for letter in outcome.letters} - heard == set()
    assert heard_twice(outcome) == []
    acked_twice = [letter for letter in outcome.letters if len(letter.acks) > 1]
    assert acked_twice
    assert all(len({id for _, id in letter.acks}) == 1 for letter in acked_twice)
