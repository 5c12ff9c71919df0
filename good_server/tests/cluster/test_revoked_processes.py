"""Tests of denials with two real processes and stock clients."""

import asyncio
import time

import pytest
import pytest_asyncio
import socketio

from ...events import AUTH_REFRESH
from ...publish import Publisher
from ..checks import AT_ONCE_SECONDS
from ..orders import PUBLISH_TOKEN, TAKES_ORDERS, order
from ..server_processes import serving
from ..stand_in import NOTE_RECEIVED, NOTE_SEND, NOTICE_PUBLISH, PLAIN, PRIVILEGED
from ..tokens import production_token
from ..waiting import PROCESS_SECONDS, WAIT_SECONDS

COMES_BACK = {"reconnection": True, "reconnection_delay": 0.05, "reconnection_delay_max": 0.05}

pytestmark = pytest.mark.timeout(4 * PROCESS_SECONDS)


class Port:
    """The internal port of a server process."""

    def __init__(self, server):
        (self.internal_url,) = server.internal_urls


@pytest_asyncio.fixture(loop_scope="session")
async def servers(redis, shared, tmp_path):
    async with serving(tmp_path, 2, **shared, **TAKES_ORDERS) as started:
        yield started


async def through_publisher(servers, http, shared):
    async with Publisher(shared["redis_url"], prefix=shared["redis_prefix"]) as publisher:
        assert await publisher.disconnect("ana") == 2


async def through_the_port(servers, http, shared):
    answer = await order(http, Port(servers[0]), "/disconnect", {"user": "ana"}, token=PUBLISH_TOKEN)
    assert answer == (200, {"ok": True, "data": {}})


async def is_refused(new_tab, server, token):
    tab = new_tab()
    with pytest.raises(socketio.exceptions.ConnectionError):
        await tab.connect(server.url, token)
    return (await asyncio.wait_for(tab.refusal, WAIT_SECONDS))["data"]["code"] == "unauthorized"


def next_second():
    """Wait until a new token is newer than a denial of now. Times in tokens are whole seconds."""
    return asyncio.sleep(1.01 - time.time() % 1)


@pytest.mark.parametrize("disconnect", [through_publisher, through_the_port])
async def test_a_banned_user_is_gone_and_cannot_return(servers, http, connect, new_tab, shared, disconnect):
    token = production_token("ana")
    bobs = [await connect("bob", to=server, token=production_token("bob")) for server in servers]
    anas = [await connect("ana", to=server, token=token, client=COMES_BACK) for server in servers]
    began = time.monotonic()
    await disconnect(servers, http, shared)
    for ana in anas:
        await asyncio.wait_for(ana.closed.wait(), AT_ONCE_SECONDS)
    assert time.monotonic() - began < 2 * AT_ONCE_SECONDS
    for server in servers:
        assert await is_refused(new_tab, server, token)
        assert await server.connections(http) == [1]
    # bob has noticed nothing: both tabs still work, and received one note each
    assert (await bobs[0].ask(NOTE_SEND, {"to": "bob", "text": "alone"}))["ok"]
    assert (await bobs[1].receives(NOTE_RECEIVED))["text"] == "alone"
    assert [tab.inbox.empty() and tab.sio.connected for tab in bobs] == [True, True]
    assert not any(ana.sio.connected for ana in anas)


async def test_a_demotion_takes_effect_on_both_processes(servers, http, connect, new_tab, shared):
    admin = production_token("ana", PRIVILEGED)
    anas = [await connect("ana", to=server, token=admin) for server in servers]
    for ana in anas:
        assert (await ana.ask(NOTICE_PUBLISH, {"text": "I may"}))["ok"]
    await through_publisher(servers, http, shared)
    for ana in anas:
        await asyncio.wait_for(ana.closed.wait(), AT_ONCE_SECONDS)
    await next_second()
    plain = production_token("ana", PLAIN)
    for server in servers:
        assert await is_refused(new_tab, server, admin)
        demoted = await connect("ana", to=server, token=plain)
        assert await demoted.code(NOTICE_PUBLISH, {"text": "may I?"}) == "forbidden"
        assert await demoted.code(AUTH_REFRESH, {"token": admin}) == "unauthorized"
        assert await demoted.code(NOTICE_PUBLISH, {"text": "may I?"}) == "forbidden"


async def test_a_restarted_process_still_refuses(servers, http, connect, new_tab, shared):
    token = production_token("ana")
    await through_publisher(servers, http, shared)
    await servers[0].kill()
    await servers[0].start()
    assert await is_refused(new_tab, servers[0], token)
