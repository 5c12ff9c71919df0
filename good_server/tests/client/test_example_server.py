"""Tests of the program that serves the example page and its tokens."""

import signal
import subprocess
import sys

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from ...client.example.__main__ import create_page
from ...settings import DEVELOPMENT_SECRET, Settings, SettingsError
from ..package import PACKAGE
from ..ports import lasting_port
from ..tokens import PRODUCTION_ENVIRONMENT
from ..waiting import PROCESS_SECONDS

PROGRAM = [sys.executable, "-m", f"{PACKAGE}.client.example"]
ANA = {"user": "ana", "role": "driver", "company": "acme"}
MALFORMED = [{"user": ""}, {"user": "a b"}, {"role": "king"}, {"seconds": "soon"}, {"role": "company", "company": ""}]


@pytest_asyncio.fixture(loop_scope="session")
async def page(server, tmp_path):
    """A client of the example's own server."""
    async with TestClient(TestServer(create_page(Settings(), server.url, tmp_path))) as client:
        yield client


async def test_the_server_accepts_a_token_of_the_example(server, page, connect):
    async with page.get("/dev/token", params=ANA) as response:
        token = (await response.json())["token"]
    tab = await connect("ana", token=token)
    assert (await tab.ask("tracking:update", {"lat": 1, "lng": 2}))["ok"]


@pytest.mark.parametrize("changes", MALFORMED)
async def test_a_malformed_request_for_a_token_is_refused(page, changes):
    async with page.get("/dev/token", params=ANA | changes) as response:
        assert (response.status, "token" in await response.text()) == (400, False)


async def test_the_page_learns_the_address_of_the_server(server, page):
    async with page.get("/dev/config") as response:
        assert await response.json() == {"server": server.url}


async def test_an_unbuilt_page_says_how_to_build_it(page):
    async with page.get("/") as response:
        assert (response.status, "npm run build" in await response.text()) == (404, True)


@pytest.mark.parametrize("settings", [{"env": "production"}, {}], ids=["production", "development"])
def test_a_server_with_its_own_secret_gets_no_example_tokens(settings):
    with pytest.raises(SettingsError, match="development"):
        create_page(Settings(jwt_secret="k" * 48, **settings), "http://127.0.0.1:8000")


def test_the_published_secret_is_needed_but_may_be_written():
    assert create_page(Settings(jwt_secret=DEVELOPMENT_SECRET), "http://127.0.0.1:8000")


def test_production_settings_stop_the_program_with_one_line(monkeypatch):
    for name, value in PRODUCTION_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run(PROGRAM, capture_output=True, text=True, timeout=PROCESS_SECONDS)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program_serves_until_it_is_stopped(number):
    port = lasting_port()
    with subprocess.Popen([*PROGRAM, "--port", str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline().decode() == f"the page is at http://127.0.0.1:{port}\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=PROCESS_SECONDS)
    assert (process.returncode, errors) == (0, b"")
