"""Tests of plain HTTP requests to the public and the internal port."""

import pytest

from ...events import ROOM_LEAVE
from ..stand_in import LEAVE


async def answer(http, url):
    async with http.get(url) as response:
        return response.status, await response.text()


async def test_both_ports_answer_the_health_check(server, http):
    assert await answer(http, server.url + "/healthz") == (200, "ok\n")
    assert await answer(http, server.internal_url + "/healthz") == (200, "ok\n")


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/", "/socket.io"])
async def test_the_public_port_serves_nothing_else(server, http, path):
    assert (await answer(http, server.url + path))[0] == 404


async def test_a_server_is_ready_until_it_closes(server, http):
    assert (await answer(http, server.internal_url + "/readyz"))[0] == 200
    server.application.admission.is_draining = True
    assert (await answer(http, server.internal_url + "/readyz"))[0] == 503


async def test_metrics_count_events_by_name_and_outcome(server, http, connect):
    ana = await connect("ana")
    await ana.ask(*LEAVE)
    await ana.ask("canary-7f3a", {})
    _, metrics = await answer(http, server.internal_url + "/metrics")
    assert "server_connections 1.0" in metrics
    assert f'server_events_total{{event="{ROOM_LEAVE}",outcome="ok"}} 1.0' in metrics
    assert 'server_events_total{event="unknown",outcome="unknown_event"} 1.0' in metrics


async def test_metrics_show_neither_users_nor_payloads(server, http, connect):
    ana = await connect("canary-7f3a")
    await ana.ask("canary-7f3a", {"canary-7f3a": 1})
    _, metrics = await answer(http, server.internal_url + "/metrics")
    assert "canary-7f3a" not in metrics
