"""Test the web server of the live page, and its guard."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
from lab.live.arrangement import arrangement
from lab.live.serve import Address, live_page

READ_SECONDS = 5.0
PATHS = ("/", "/state", "/events", "/page/style.css", "/page/main.js")


@asynccontextmanager
async def open_page(number="03"):
    """Yield a session with a web server, its address, and a client."""
    address = Address.reserve()
    async with live_page(arrangement(number), address) as session, aiohttp.ClientSession() as client:
        yield session, address, client


def url(address, path):
    return f"http://127.0.0.1:{address.port}{path}"


async def read_events(response, count):
    """Return the next `count` events of a stream."""
    found = []
    async with asyncio.timeout(READ_SECONDS):
        while len(found) < count:
            line = (await response.content.readline()).decode()
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
    return found


FOREIGN = [
    ({}, {}),
    ({"token": "x" * 32}, {}),
    ({"token": "é"}, {}),
    (None, {"Origin": "https://evil.example"}),
    (None, {"Origin": "null"}),
    (None, {"Origin": "http://localhost:8888"}),
    (None, {"Host": "evil.example"}),
    (None, {"Host": "127.0.0.1"}),
    (None, {"Host": "localhost"}),
]


async def test_a_foreign_page_can_neither_read_nor_command():
    async with open_page() as (session, address, client):
        before = session.stream.seq
        own = {"token": address.token}
        for query, headers in FOREIGN:
            params = own if query is None else query
            for path in PATHS:
                async with client.get(url(address, path), params=params, headers=headers) as response:
                    assert response.status == 403
                    assert len((await response.text()).splitlines()) == 1
                    assert "Access-Control-Allow-Origin" not in response.headers
            body = {"action": "cut", "tab": "ana/1"}
            async with client.post(url(address, "/do"), params=params, headers=headers, json=body) as response:
                assert response.status == 403
        assert [event.kind for event in session.stream.events if event.seq > before and event.kind == "cut"] == []
        assert address.token not in repr(session.stream.events)


async def test_the_own_page_is_served_with_its_token():
    async with open_page() as (_, address, client):
        async with client.get(address.url) as response:
            text = await response.text()
            policy = response.headers["Content-Security-Policy"]
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors" in policy
        assert "%TOKEN%" not in text
        assert f'"/page/main.js": "/page/main.js?token={address.token}"' in text
        own = {"token": address.token}
        async with client.get(url(address, "/page/main.js"), params=own) as response:
            assert response.content_type == "text/javascript"
        for name in ("..%2Fweb.py", "%2e%2e%2fweb.py", "web.py", "nothing.js"):
            async with client.get(f"{url(address, '/page/')}{name}?token={address.token}") as response:
                assert response.status == 404


async def test_two_pages_see_the_same_events():
    async with open_page() as (session, address, client):
        own = {"token": address.token, "since": str(session.stream.seq)}
        first, second = [await client.get(url(address, "/events"), params=own) for _ in range(2)]
        body = {"action": "send", "tab": "ana/1", "to": "user:ben"}
        async with client.post(url(address, "/do"), params=own, json=body) as response:
            answer = await response.json()
        count = answer["seq"] - int(own["since"])
        events = await read_events(first, count)
        assert events == await read_events(second, count)
        assert next(event["kind"] for event in events if event["side"] == "good") == "sent"
        async with client.get(url(address, "/state"), params=own) as response:
            state = await response.json()
        assert state["seq"] >= answer["seq"]
        assert state["happened"] == answer["happened"]
        assert state["sides"]["good"]["counters"]["delivered"] == 1


async def test_a_page_that_was_away_misses_nothing():
    async with open_page() as (session, address, client):
        last = session.stream.seq - 3
        headers = {"Last-Event-ID": str(last)}
        own = {"token": address.token}
        response = await client.get(url(address, "/events"), params=own, headers=headers)
        assert [event["seq"] for event in await read_events(response, 3)] == [last + 1, last + 2, last + 3]
        response.close()


WRONG = ("", "[]", "{", '"send"', '{"action": null}', "x" * 5000)


async def test_a_wrong_command_is_refused():
    async with open_page() as (_, address, client):
        for body in WRONG:
            async with client.post(url(address, "/do"), params={"token": address.token}, data=body) as response:
                assert response.status in (400, 413)
                assert len((await response.text()).splitlines()) == 1
