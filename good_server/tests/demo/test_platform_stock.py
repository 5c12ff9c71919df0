"""Tests of the platform's refusals on the library's own delivery path."""

import pytest


@pytest.fixture
def delivery():
    return "stock"


@pytest.mark.parametrize(
    ("event", "payload", "code"),
    [
        ("chat:send", {"to": "bob"}, "invalid"),
        ("chat:send", {"room": "job:17", "text": "x"}, "forbidden"),
        ("system:announce", {"text": "x", "level": "info"}, "forbidden"),
    ],
)
async def test_a_refused_event_of_the_platform_has_its_code(connect, event, payload, code):
    tab = await connect("ana")
    assert await tab.code(event, payload) == code


async def test_a_chat_over_the_rate_limit_gets_retry_after(serve, connect):
    server = await serve(chat_per_second=1, burst_seconds=1)
    tab = await connect("ana", to=server)
    await tab.ask("chat:send", {"to": "bob", "text": "x"})
    refused = await tab.ask("chat:send", {"to": "bob", "text": "x"})
    assert refused["error"]["code"] == "rate_limited"
    assert 0 < refused["error"]["retry_after"] <= 1
