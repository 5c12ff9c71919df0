"""Tests of a real nginx with the deployed configuration."""

import re
import subprocess

import aiohttp
import pytest
import pytest_asyncio

from ...rooms import user_room
from ...settings import Settings
from ..nginx import NGINX, proxied
from ..programs import installed
from ..stand_in import NOTE_SEND
from ..waiting import PROCESS_SECONDS
from ..wire import SOCKETIO

DEFAULTS = Settings.model_construct()


def seconds_of(directive):
    return int(re.search(rf"^\s*{directive} (\d+)s;", NGINX.read_text(), re.MULTILINE)[1])


@pytest.mark.parametrize("directive", ["proxy_read_timeout", "proxy_send_timeout"])
def test_the_proxy_waits_longer_than_the_heartbeat(directive):
    assert seconds_of(directive) > DEFAULTS.ping_interval_seconds + DEFAULTS.ping_timeout_seconds


@pytest_asyncio.fixture(loop_scope="session")
async def nginx(serve, tmp_path):
    """The URL of a real nginx, and the two servers behind it."""
    # first: without nginx no server is needed
    installed("nginx")
    servers = [await serve(trusted_proxies=("127.0.0.1",)) for _ in range(2)]
    async with proxied(tmp_path, [server.url for server in servers]) as url:
        yield url, servers


@pytest.mark.slow
def test_nginx_accepts_the_configuration(tmp_path):
    command = [installed("nginx"), "-t", "-p", str(tmp_path), "-c", str(NGINX), "-e", "stderr"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PROCESS_SECONDS)
    assert (done.returncode, "[warn]" in done.stderr) == (0, False), done.stderr


async def test_clients_of_both_processes_are_served_through_nginx(nginx, new_tab):
    before, servers = nginx
    tabs = [new_tab() for _ in range(4)]
    for tab in tabs:
        await tab.connect(before, servers[0].token("ana"))
        assert (await tab.ask(NOTE_SEND, {"to": "ana", "text": "hello"}))["ok"]
    # least_conn, no sticky sessions: each has two
    assert {server.members(user_room("ana")) for server in servers} == {2}


async def test_the_server_gets_the_real_address_not_a_forged_one(nginx, http):
    before, servers = nginx
    claim = {"X-Forwarded-For": "203.0.113.9"}
    async with http.ws_connect(before + SOCKETIO, headers=claim) as websocket:
        await websocket.receive(timeout=PROCESS_SECONDS)
        found = [(server, environ) for server in servers for environ in server.sio.environ.values()]
        ((server, environ),) = found
        assert server.application.admission.address_of(environ["aiohttp.request"]) == "127.0.0.1"


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/metrics", 404), ("/readyz", 404), ("/", 404)])
async def test_nginx_passes_on_health_and_no_internal_path(nginx, http, path, status):
    async with http.get(nginx[0] + path) as response:
        assert response.status == status


async def test_nginx_limits_the_rate_of_new_connections(nginx, http):
    statuses = []
    for _ in range(120):
        async with http.get(nginx[0] + SOCKETIO.replace("websocket", "polling")) as response:
            statuses.append(response.status)
        if statuses[-1] == 429:
            break
    assert (statuses[0], statuses[-1]) == (400, 429)


async def test_a_lost_process_leaves_the_other_one_serving(nginx, new_tab):
    before, servers = nginx
    await servers[0].ended()
    for _ in range(3):
        tab = new_tab()
        await tab.connect(before, servers[1].token("ana"))
    assert servers[1].members(user_room("ana")) == 3


async def test_a_page_behind_nginx_may_connect_to_its_own_origin_only(nginx, http):
    address = nginx[0] + SOCKETIO
    async with http.ws_connect(address, headers={"Origin": nginx[0]}) as websocket:
        assert (await websocket.receive(timeout=PROCESS_SECONDS)).data.startswith("0{")
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await http.ws_connect(address, headers={"Origin": "http://elsewhere.example"})
