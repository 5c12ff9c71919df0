"""Tests of a real nginx with the deployed configuration."""

import asyncio
import re
import subprocess
from contextlib import closing

import aiohttp
import pytest
import pytest_asyncio
from aiohttp.hdrs import RETRY_AFTER

from ... import admission
from ...rooms import user_room
from ...settings import Settings
from ..nginx import NGINX, proxied
from ..programs import installed
from ..stand_in import NOTE_SEND
from ..waiting import PROCESS_SECONDS, until
from ..wire import SOCKETIO, UPGRADE_HEADERS

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
        ((_, environ),) = found
        assert admission.address_in(environ) == "127.0.0.1"


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


CANARY = "canary-4f1c"
SECRETS = {"Referer": f"https://app.example/?token={CANARY}", "Cookie": f"token={CANARY}"}


async def answers(http, url, count):
    """Ask for so many upgrades at once. Return the statuses and headers."""

    address = f"{url}{SOCKETIO}&token={CANARY}"

    async def ask():
        async with http.get(address, headers=UPGRADE_HEADERS | SECRETS) as answer:
            if answer.status == 101:
                answer.close()
            return answer.status, answer.headers

    return await asyncio.gather(*(ask() for _ in range(count)))


async def logged(folder, text):
    """Return the log of nginx as soon as it contains `text`. nginx logs a request after its answer."""
    log = folder / "nginx.log"
    await until(lambda: text in log.read_text())
    return log.read_text()


async def test_a_limit_of_nginx_says_when_to_come_back(nginx, http, tmp_path):
    refused = [headers for status, headers in await answers(http, nginx[0], 80) if status == 429]
    assert refused
    assert {headers[RETRY_AFTER] for headers in refused} == {"3"}
    assert CANARY not in await logged(tmp_path, "limit=REJECTED")


async def test_a_limit_of_the_server_is_passed_on_by_nginx(serve, http, tmp_path):
    server = await serve(trusted_proxies=("127.0.0.1",), sockets_per_address=1)
    async with proxied(tmp_path, [server.url, server.url]) as url, http.ws_connect(url + SOCKETIO):
        ((status, headers),) = await answers(http, url, 1)
    assert (status, headers[RETRY_AFTER]) == (429, "10")


async def test_lost_processes_are_a_temporary_refusal_of_nginx(nginx, http, tmp_path):
    url, servers = nginx
    for server in servers:
        await server.ended()
    ((status, headers),) = await answers(http, url, 1)
    assert (status, headers[RETRY_AFTER]) == (503, "2")
    assert CANARY not in await logged(tmp_path, "status=502, 502")


BROKEN = {
    "no host": f"GET /socket.io/?token={CANARY} HTTP/1.1\r\n\r\n",
    "a wrong header": f"GET /socket.io/?token={CANARY} HTTP/1.1\r\nHost: a\r\nX\0: 1\r\n\r\n",
    "a long header": f"GET /?token={CANARY} HTTP/1.1\r\nHost: a\r\nCookie: {CANARY * 4000}\r\n\r\n",
    "a long address": f"GET /?token={CANARY * 4000} HTTP/1.1\r\nHost: a\r\n\r\n",
    "a large body": f"POST /socket.io/?token={CANARY} HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n",
    "another version": f"GET /socket.io/?token={CANARY} HTTP/9.9\r\nHost: a\r\n\r\n",
    "an unknown path": f"GET /elsewhere?token={CANARY} HTTP/1.0\r\nHost: a\r\n\r\n",
    "a wrong escape": f"GET /%zz?token={CANARY} HTTP/1.1\r\nHost: a\r\n\r\n",
}


async def test_no_token_of_a_broken_request_is_in_the_log_of_nginx(nginx, tmp_path):
    statuses = {}
    for what, request in BROKEN.items():
        reader, writer = await asyncio.open_connection("127.0.0.1", int(nginx[0].rpartition(":")[2]))
        with closing(writer.transport):
            writer.write(request.encode())
            answer = await asyncio.wait_for(reader.readline(), PROCESS_SECONDS)
        statuses[what] = answer.decode().split()[1]
    assert {status[0] for status in statuses.values()} <= {"4", "5"}, statuses
    log = tmp_path / "nginx.log"
    await until(lambda: log.read_text().count("\n") >= len(BROKEN))
    assert CANARY not in log.read_text()
