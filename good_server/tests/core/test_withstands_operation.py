"""Tests of rows 36 and 37 of `WITHSTANDS.md`: logs and ports."""

import asyncio
import json
import re
import signal
from types import SimpleNamespace

import pytest

from ..checks import notices_nothing
from ..package import SERVER
from ..server_processes import start
from ..tokens import PRODUCTION_ENVIRONMENT
from ..waiting import PROCESS_SECONDS

ESCAPES = "one\ntwo\r\n\x1b[31mthree\x00\u2028\u202e{}"
READY = re.compile(rb"listening on (http://\S+) \(internal (http://\S+)\)\n")


async def attack(url, dial):
    """Send line breaks and escape codes, which the server could log.

    They are in HTTP requests and in CONNECT packets.
    """
    host, port = url.removeprefix("http://").split(":")
    for line in (f"GET /{ESCAPES} HTTP/1.1", f"{ESCAPES} / HTTP/1.1", f"GET / {ESCAPES}"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(line.encode() + b"\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(reader.readline(), PROCESS_SECONDS)
        writer.close()
    for connect in (f"40/{ESCAPES},{{}}", "40" + json.dumps({"token": ESCAPES}), f"40{ESCAPES}"):
        wire = await dial(to=SimpleNamespace(url=url))
        await wire.send(connect)
        wire.websocket._response.close()


async def test_row_36_every_log_entry_stays_one_json_line(dial):
    process = await start(*SERVER, **PRODUCTION_ENVIRONMENT)
    try:
        ready = READY.fullmatch(await asyncio.wait_for(process.stdout.readline(), PROCESS_SECONDS))
        await attack(ready[1].decode(), dial)
    finally:
        process.send_signal(signal.SIGTERM)
        _, written = await asyncio.wait_for(process.communicate(), PROCESS_SECONDS)
    assert process.returncode == 0
    entries = [json.loads(line) for line in written.decode().split("\n")[:-1]]
    assert {"bad request", "closing"} <= {entry["event"] for entry in entries}
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u2028\u202e]", written.decode())


PRIVATE = [
    "/metrics",
    "/readyz",
    "/metrics/",
    "//metrics",
    "/%6detrics",
    "/socket.io/../metrics",
    "/METRICS",
    "/metrics?x",
]


async def check_port(url, http):
    for path in PRIVATE:
        for method in ("GET", "HEAD", "POST", "OPTIONS"):
            async with http.request(method, url + path) as answer:
                assert answer.status == 404, f"{path} is answered {answer.status}"
                assert "server_connections" not in await answer.text()


async def test_row_37_metrics_and_readiness_are_not_on_the_public_port(server, connect, http):
    bob = await connect("bob")
    await check_port(server.url, http)
    await notices_nothing(server, bob)


async def test_row_37_fails_on_the_internal_port(server, http):
    with pytest.raises(AssertionError, match="/metrics is answered 200"):
        await check_port(server.internal_url, http)
