"""Tests of the README's lines about back ends, on the dispatch platform."""

import asyncio
import json
import re
import shlex

import pytest

from ... import __main__ as command_line
from ...events import SYSTEM_ANNOUNCEMENT
from ..orders import PUBLISH_TOKEN, TAKES_ORDERS
from ..package import FOLDER, PACKAGE, TEMPLATE_NAME

README = (FOLDER / "README.md").read_text("utf-8").replace(TEMPLATE_NAME, PACKAGE)
SECTION = re.search(r"## Publish from your back end\n(.*?)\n## ", README, re.DOTALL)[1]
CODE = re.search(r"```python\n(.*?)```", SECTION, re.DOTALL)[1]
CURL = re.search(r"^curl .*$", SECTION, re.MULTILINE)[0]


@pytest.mark.needs("cluster")
async def test_the_readmes_back_end_reaches_a_user(serve, connect, redis, until):
    server = await serve(redis_url=redis.url)
    await until(lambda: server.application.guards.cluster.link.has_own_heartbeat)
    tabs = [await connect("ana", "driver", to=server) for _ in range(2)]
    bob = await connect("bob", "admin", to=server)
    names = {}
    exec(compile(CODE, "README.md", "exec"), names)  # noqa: S102 - the code of the README
    await names["greet"](redis.url)
    for tab in tabs:
        assert (await tab.receives(SYSTEM_ANNOUNCEMENT))["text"] == "hello"
        assert await tab.is_closed()
    assert await server.fence(bob) == [[]]


async def test_the_readmes_curl_moves_a_user(serve, connect, http):
    server = await serve(**TAKES_ORDERS)
    await connect("ana", "driver", to=server)
    *_, header, _, body, url = shlex.split(CURL)
    name, _, value = header.partition(": ")
    headers = {name: value.replace("$SERVER_PUBLISH_TOKEN", PUBLISH_TOKEN)}
    path = re.fullmatch(r"http://127\.0\.0\.1:8010(/\w+)", url)[1]
    async with http.post(server.internal_url + path, data=body, headers=headers) as answer:
        assert (answer.status, await answer.json()) == (200, {"ok": True, "data": {}})
    assert server.members("job:17") == 1


async def test_the_example_of_the_command_works(serve, connect, capsys, monkeypatch):
    server = await serve(**TAKES_ORDERS)
    ana = await connect("ana", "driver", to=server)
    with pytest.raises(SystemExit):
        command_line.main(["publish", "--help"])
    example = shlex.split(capsys.readouterr().out.partition("example: ")[2])
    assert example[:4] == ["python", "-m", PACKAGE, "publish"]
    monkeypatch.setenv("SERVER_PUBLISH_TOKEN", PUBLISH_TOKEN)
    monkeypatch.setenv("SERVER_INTERNAL_PORT", server.internal_url.rpartition(":")[2])
    assert await asyncio.to_thread(command_line.main, example[3:]) == 0
    data = json.loads(example[example.index("--data") + 1])
    assert await ana.receives(example[example.index("--event") + 1]) == data
