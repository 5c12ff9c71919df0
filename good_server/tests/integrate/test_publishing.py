"""Tests that the back ends of `INTEGRATE.md` reach users."""

import re
import sys

import pytest

from ...events import DRIVER_STATUS_CHANGED, REPORT_READY
from .. import recipes
from ..tokens import production_token
from .backends import program, require, run, web
from .conftest import PUBLISH_TOKEN

pytestmark = pytest.mark.slow

DJANGO_SITE = """
from django.urls import path

SECRET_KEY, ALLOWED_HOSTS, ROOT_URLCONF, MIDDLEWARE = "for tests only", ["*"], "urls", []
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "site.sqlite"}}
"""
DJANGO_URLS = """
from django.urls import path

import views

urlpatterns = [path("drivers/<driver>/busy", views.busy)]
"""


@pytest.fixture
def two_tabs(new_tab, two_servers):
    """Connect two tabs of a user, one on each process."""

    async def connect(user):
        tabs = [new_tab(), new_tab()]
        for tab, server in zip(tabs, two_servers, strict=True):
            await tab.connect(server.url, production_token(user))
        return tabs

    return connect


async def assert_each_hears_once(http, url, tabs):
    """Assert that every tab receives one message per request."""
    for driver in ("ben", "cyd"):
        async with http.post(f"{url}/drivers/{driver}/busy") as answer:
            assert answer.status == 200, await answer.text()
    for tab in tabs:
        heard = [await tab.receives(DRIVER_STATUS_CHANGED) for _ in range(2)]
        assert [(message["driver"], message["status"]) for message in heard] == [("ben", "busy"), ("cyd", "busy")]
        assert tab.inbox.empty()


def lines_of_code(code):
    """Return the lines of code, without comments and imports."""
    bare = [line.strip() for line in code.splitlines()]
    return [line for line in bare if line and not re.match(r"#|import |from \S+ import ", line)]


@pytest.mark.needs("cluster")
async def test_fastapi_reaches_two_tabs_on_two_processes(two_tabs, http, redis, tmp_path):
    require("fastapi", "uvicorn")
    recipes.write("From FastAPI", tmp_path)
    tabs, (eve, _) = await two_tabs("ana"), await two_tabs("eve")
    command = ("uvicorn", "shop:app", "--port", "{port}")
    async with web(tmp_path, *command, SERVER_REDIS_URL=redis.url) as url:
        await assert_each_hears_once(http, url, tabs)
    assert eve.inbox.empty()


def test_the_fastapi_recipe_has_less_than_ten_lines():
    for heading in ("From FastAPI", "Without Redis"):
        (code,) = recipes.blocks(heading, "python")
        assert len(lines_of_code(code)) < 14
        handler = code[code.index("@app.post") :]
        assert len(lines_of_code(handler)) < 10


@pytest.mark.needs("cluster")
async def test_django_reaches_two_tabs_on_two_processes(two_tabs, http, redis, tmp_path):
    require("django")
    recipes.write("From Django", tmp_path)
    (tmp_path / "site_settings.py").write_text(DJANGO_SITE + f"SERVER_REDIS_URL = {redis.url!r}\n")
    (tmp_path / "urls.py").write_text(DJANGO_URLS)
    tabs = await two_tabs("ana")
    command = ("django", "runserver", "--noreload", "127.0.0.1:{port}")
    async with web(tmp_path, *command, DJANGO_SETTINGS_MODULE="site_settings") as url:
        await assert_each_hears_once(http, url, tabs)


@pytest.mark.needs("cluster")
async def test_a_celery_task_reaches_two_tabs_on_two_processes(two_tabs, redis, tmp_path):
    require("celery")
    recipes.write("From Celery", tmp_path)
    tabs = await two_tabs("ana")
    variables = {"SERVER_REDIS_URL": redis.url}
    worker = ("celery", "-A", "jobs", "worker", "--concurrency", "2", "--pool", "prefork")
    async with program(tmp_path, *worker, **variables):
        code = "import jobs; jobs.make_report.delay('job-1', 'ana')"
        await run(tmp_path, sys.executable, "-c", code, **variables)
        for tab in tabs:
            assert await tab.receives(REPORT_READY) == {
                "job": "job-1",
                "kind": "outside",
                "result": {"cpu_seconds": 0.5},
            }
            assert tab.inbox.empty()


async def test_fastapi_reaches_a_user_without_redis(one_server, new_tab, http, tmp_path):
    require("fastapi", "uvicorn", "httpx")
    recipes.write("Without Redis", tmp_path)
    tabs = [new_tab(), new_tab()]
    for tab in tabs:
        await tab.connect(one_server.url, production_token("ana"))
    variables = {"SERVER_INTERNAL_URL": one_server.internal_urls[0], "SERVER_PUBLISH_TOKEN": PUBLISH_TOKEN}
    async with web(tmp_path, "uvicorn", "shop_without_redis:app", "--port", "{port}", **variables) as url:
        await assert_each_hears_once(http, url, tabs)


async def test_curl_reaches_a_user_without_redis(one_server, new_tab, tmp_path):
    tab = new_tab()
    await tab.connect(one_server.url, production_token("ana"))
    (command,) = recipes.blocks("Without Redis", "sh")
    variables = {"SERVER_INTERNAL_URL": one_server.internal_urls[0], "SERVER_PUBLISH_TOKEN": PUBLISH_TOKEN}
    assert await run(tmp_path, "sh", "-c", command, **variables) == '{"ok": true, "data": {}}'
    assert (await tab.receives(DRIVER_STATUS_CHANGED))["driver"] == "ben"


async def assert_the_command_reaches(tab, folder, **variables):
    (command,) = recipes.blocks("From the command line", "sh")
    await run(folder, "sh", "-c", command.replace("python ", f"{sys.executable} ", 1), **variables)
    assert (await tab.receives(DRIVER_STATUS_CHANGED))["driver"] == "ben"


@pytest.mark.needs("cluster")
async def test_the_command_reaches_a_user_through_redis(two_tabs, redis, tmp_path):
    for tab in await two_tabs("ana"):
        await assert_the_command_reaches(tab, tmp_path, SERVER_REDIS_URL=redis.url)


async def test_the_command_reaches_a_user_without_redis(one_server, new_tab, tmp_path):
    tab = new_tab()
    await tab.connect(one_server.url, production_token("ana"))
    port = one_server.internal_urls[0].rpartition(":")[2]
    await assert_the_command_reaches(tab, tmp_path, SERVER_INTERNAL_PORT=port, SERVER_PUBLISH_TOKEN=PUBLISH_TOKEN)
