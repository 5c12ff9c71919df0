"""Tests the recipe that puts FastAPI and this server behind one nginx."""

import pytest

from .. import recipes
from ..nginx import proxied
from ..ports import lasting_port
from ..tokens import production_token
from .backends import require, web

pytestmark = pytest.mark.slow

HEADING = "Beside FastAPI, behind nginx"
# what the recipe replaces in deploy/nginx.conf
CLOSED = """        location / {
            return 404;
        }
"""
SHOP = """
from fastapi import FastAPI

app = FastAPI()


@app.get("/orders")
def orders():
    return ["17"]
"""


@pytest.mark.needs("cluster")
async def test_one_nginx_serves_fastapi_and_the_sockets(two_servers, new_tab, http, tmp_path):
    require("fastapi", "uvicorn")
    (tmp_path / "shop.py").write_text(SHOP)
    (location,) = recipes.blocks(HEADING, "nginx")
    port = lasting_port()
    changes = {CLOSED: location.replace("127.0.0.1:9000", f"127.0.0.1:{port}")}
    urls = [server.url for server in two_servers]
    async with (
        web(tmp_path, "uvicorn", "shop:app", "--port", str(port), port=port),
        proxied(tmp_path, urls, changes=changes) as url,
    ):
        async with http.get(f"{url}/orders") as answer:
            assert await answer.json() == ["17"]
        tab = new_tab()
        # a page that FastAPI has served: the same origin, so no setting allows it
        await tab.connect(url, production_token("ana"), headers={"Origin": url})
        assert (await tab.ask("chat:send", {"to": "ana", "text": "a note"}))["ok"]
