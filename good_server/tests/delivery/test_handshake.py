"""Test the check of WebSocket handshakes with raw requests."""

import asyncio
import logging

import pytest

from ..waiting import WAIT_SECONDS
from ..wire import ACCEPT, SOCKETIO, UPGRADE_HEADERS

KEY = UPGRADE_HEADERS["Sec-WebSocket-Key"]


async def answer_to(server, *, version="1.1", **changed):
    """Return the answer to a handshake. A value is a string, or a list for a header that is sent twice."""
    headers = UPGRADE_HEADERS | {name.replace("_", "-"): value for name, value in changed.items()}
    lines = [f"GET {SOCKETIO} HTTP/{version}", "Host: localhost"]
    for name, values in headers.items():
        lines += [f"{name}: {value}" for value in (values if isinstance(values, list) else [values])]
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_SECONDS)
    writer.transport.abort()
    return head


@pytest.mark.parametrize(
    "changed",
    [
        {"Sec_WebSocket_Key": []},
        {"Sec_WebSocket_Key": "short"},
        {"Sec_WebSocket_Key": "\xff" * 24},
        {"Sec_WebSocket_Key": f"{KEY}, {KEY}"},
        {"Sec_WebSocket_Version": []},
        {"Sec_WebSocket_Version": "12"},
        {"Sec_WebSocket_Version": "\xb9\xb3"},
        {"Upgrade": []},
        {"Upgrade": "web\xffsocket"},
        {"Upgrade": "h2c, websocket"},
        {"Connection": "close"},
        {"Connection": "upgrade\xff"},
        {"Connection": ",;=", "Upgrade": ";"},
        {"version": "1.0"},
    ],
    ids=repr,
)
async def test_a_malformed_handshake_is_refused_without_an_error(server, caplog, changed):
    assert (await answer_to(server, **changed)).split(b" ")[1] in (b"400", b"426")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"Connection": "keep-alive, Upgrade"},
        {"Connection": ["keep-alive", "upgrade"]},
        {"Upgrade": "WebSocket"},
        {"Sec_WebSocket_Protocol": "chat"},
        {"Sec_WebSocket_Extensions": "permessage-deflate"},
        # latin-1, as old programs write it
        {"Cookie": "name=Ren\xe9", "User-Agent": "Andr\xe9"},
    ],
    ids=repr,
)
async def test_a_handshake_is_answered_with_the_key_alone(server, changed):
    head = await answer_to(server, **changed)
    assert head.startswith(b"HTTP/1.1 101 ")
    assert ACCEPT in head
    assert b"Extensions" not in head
    assert b"Protocol" not in head.partition(b"\r\n")[2]
