"""Runs the good server under load, and asks Prometheus about it.

Prometheus scrapes the server every second. The queries are those of the Grafana dashboard in
`good_server/deploy/dashboard.json`.
"""

import asyncio
import json
import math
import re
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

import good_server
from lab.scaling import dashboard_load
from lab.scaling.dashboard_load import Schedule
from lab.servers.process import Server
from lab.servers.running import running
from lab.system.child_program import Program
from lab.system.exit_codes import UsageError
from lab.system.own_process import in_own_process
from lab.system.spawn import complete_even_if_cancelled

DASHBOARD = Path(good_server.__file__).parent / "deploy" / "dashboard.json"
# panels of the dashboard, by their ids there
PANELS = (1, 2, 3, 10, 9, 8)
MISSING = "prometheus is not installed: apt install prometheus"
READY_SECONDS = 60.0
STEP_SECONDS = 1
THE_SERVER = "the server"
POLL_SECONDS = 0.1
# the clients have one address, and few writers write more than a person
SETTINGS = {
    "SERVER_PING_INTERVAL_SECONDS": "25",
    "SERVER_PING_TIMEOUT_SECONDS": "20",
    "SERVER_SOCKETS_PER_ADDRESS": "1000",
    "SERVER_CONNECTS_PER_SECOND_PER_ADDRESS": "1000",
    "SERVER_CHAT_PER_SECOND": "100",
    "SERVER_EVENTS_PER_SECOND": "100",
}


@dataclass(frozen=True)
class Panel:
    """The answer of Prometheus to the queries of one dashboard panel.

    `series` maps the name of a line to the points of the line. A point is a pair: the seconds since the start of the
    run, and the value.
    """

    title: str
    unit: str
    series: Mapping[str, Sequence[tuple[float, float]]]


@dataclass(frozen=True)
class Observed:
    """What Prometheus recorded while a server was under load.

    Times are in seconds since the start of the load, which lasted `seconds`. During the time span `slow`, the clients
    that stop reading joined. During the time span `restart`, there was no server.
    """

    panels: Sequence[Panel]
    seconds: float
    slow: tuple[float, float]
    restart: tuple[float, float]


def panels_of(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the dashboard's panels that `lab dashboard` draws.

    In the queries of the panels, the variables of the dashboard are replaced by their values.
    """
    by_id = {panel["id"]: panel for panel in dashboard["panels"]}
    variables = {
        one["name"]: one["current"]["value"] for one in dashboard["templating"]["list"] if "value" in one["current"]
    }
    found = []
    for panel in (by_id[number] for number in PANELS):
        targets = [{**one, "expr": _filled(one["expr"], variables)} for one in panel["targets"]]
        found.append({**panel, "targets": targets})
    return found


def _filled(expression: str, variables: Mapping[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda found: variables[found[1]], expression)


def job_of(dashboard: Mapping[str, Any]) -> str:
    """Returns the name of the scrape job whose metrics the dashboard shows."""
    return next(str(one["current"]["value"]) for one in dashboard["templating"]["list"] if one["name"] == "job")


def prometheus_program() -> str:
    """Returns the path of prometheus; raises `UsageError` if it is missing."""
    found = shutil.which("prometheus")
    if found is None:
        raise UsageError(MISSING)
    return found


async def observe(schedule: Schedule) -> Observed:
    """Runs the good server under load, and returns what Prometheus recorded.

    `schedule` says when clients that stop reading join, and when the server restarts. Raises `UsageError` when
    prometheus is not installed.
    """
    program = prometheus_program()
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    # Prometheus has to find the server again after the restart
    secret = secrets.token_hex(32)
    settings = {**SETTINGS, "SERVER_JWT_SECRET": secret, "SERVER_INTERNAL_PORT": str(_free_port())}
    async with running("good", settings=settings) as server, _prometheus(program, job_of(dashboard), settings) as url:
        began = time.time()
        slow, restart = await _run(server, secret, schedule)
        ended = time.time()
        async with aiohttp.ClientSession(url) as session:
            panels = [await _ask(session, panel, began, ended) for panel in panels_of(dashboard)]
    return Observed(panels, ended - began, _since(began, slow), _since(began, restart))


def _since(began: float, span: tuple[float, float]) -> tuple[float, float]:
    return span[0] - began, span[1] - began


async def _run(server: Server, secret: str, schedule: Schedule) -> tuple[tuple[float, float], tuple[float, float]]:
    """Runs the clients that load the server, and restarts the server meanwhile.

    Returns two time spans, in seconds since the epoch. In the first time span, slow clients connected: they do not read
    what the server sends. In the second time span, there was no server.
    """
    arguments = (server.port, secret, schedule)
    work = in_own_process(
        dashboard_load.run_clients, *arguments, is_fast=True, timeout=schedule.ends_at + READY_SECONDS
    )
    load = asyncio.create_task(work)
    try:
        await asyncio.wait([load], timeout=schedule.restart_at)
        if load.done():
            # it failed
            load.result()
        killed_at = time.time()
        await server.kill()
        await asyncio.sleep(schedule.away_seconds)
        await server.start_again()
        back_at = time.time()
        return await load, (killed_at, back_at)
    finally:
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)


@asynccontextmanager
async def _prometheus(program: str, job: str, settings: Mapping[str, str]) -> AsyncIterator[str]:
    """Runs Prometheus until the block ends, and yields the URL of Prometheus.

    Prometheus scrapes the internal port of the server every second. `job` is the name of the scrape job.
    """
    target = f"127.0.0.1:{settings['SERVER_INTERNAL_PORT']}"
    with tempfile.TemporaryDirectory(prefix="lab-prometheus-") as name:
        folder, address = Path(name), f"127.0.0.1:{_free_port()}"
        scrape = {"job_name": job, "static_configs": [{"targets": [target]}]}
        config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [scrape]}
        # JSON is also YAML
        (folder / "prometheus.yml").write_text(json.dumps(config))
        options = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
        prometheus = Program([program, *options, f"--web.listen-address={address}", "--log.level=warn"], folder)
        try:
            await prometheus.start()
            await _wait_until_ready(prometheus, f"http://{address}")
            yield f"http://{address}"
        finally:
            await complete_even_if_cancelled(prometheus.stop())


async def _wait_until_ready(prometheus: Program, url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline and prometheus.is_running:
            try:
                async with session.get(f"{url}/-/ready") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                # it does not listen yet
                pass
            await asyncio.sleep(POLL_SECONDS)
    raise UsageError(f"prometheus did not start: {prometheus.last_line}")


async def _ask(session: aiohttp.ClientSession, panel: Mapping[str, Any], began: float, ended: float) -> Panel:
    """Asks Prometheus for the points of all lines of one panel.

    The points are from the time between `began` and `ended`, which are in seconds since the epoch.
    """
    series: dict[str, list[tuple[float, float]]] = {}
    for target in panel["targets"]:
        query = {"query": target["expr"], "start": str(began), "end": str(ended), "step": str(STEP_SECONDS)}
        async with session.get("/api/v1/query_range", params=query) as response:
            response.raise_for_status()
            answer = await response.json()
        for line in answer["data"]["result"]:
            points = [(float(at) - began, float(value)) for at, value in line["values"]]
            series[_label(target["legendFormat"], line["metric"])] = [one for one in points if math.isfinite(one[1])]
    return Panel(panel["title"], panel["fieldConfig"]["defaults"]["unit"], series)


def _label(form: str, labels: Mapping[str, str]) -> str:
    """Returns the name of a panel's line, as Grafana displays it.

    `form` is the legend format of the query, and `labels` are the labels of the line. The label `instance` is replaced
    by the text `the server`.
    """
    named = {**labels, "instance": THE_SERVER}
    return re.sub(r"{{\s*(\w+)\s*}}", lambda found: named.get(found[1], ""), form)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
