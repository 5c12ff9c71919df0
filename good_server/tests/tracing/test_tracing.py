"""Tests that tracing records each event, and nothing secret."""

import subprocess
import sys

import pytest

pytest.importorskip("opentelemetry.sdk", reason="pip install opentelemetry-sdk")

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from ...events import ROOM_JOIN
from ...tracing import trace
from ..entitlements import Broken
from ..package import PACKAGE
from ..redis import RealRedis
from ..servers import FREE_PORTS, running
from ..stand_in import LEAVE, NOTE_SEND, topic

SECRET_TEXT = "canary-text-51d2"


@pytest.fixture
def spans():
    """The spans that have ended, and the provider that records them."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter, provider


@pytest.fixture
def traced(spans, serve):
    """Return a function that starts a server with tracing."""
    _, provider = spans

    async def start(**options):
        server = await serve(**options)
        trace(server.application, provider)
        return server

    return start


def found(exporter, name):
    return [span for span in exporter.get_finished_spans() if span.name == name]


async def test_an_event_is_one_span_with_its_name(traced, connect, spans):
    ana = await connect("ana", to=await traced())
    assert (await ana.ask(*LEAVE))["ok"]
    (span,) = found(spans[0], LEAVE[0])
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes["messaging.system"] == "socket.io"
    assert len(found(spans[0], "connect")) == 1


async def test_a_refused_event_shows_its_code(traced, connect, spans):
    ana = await connect("ana", to=await traced())
    assert await ana.code(ROOM_JOIN, {"room": topic("18")}) == "forbidden"
    (span,) = found(spans[0], ROOM_JOIN)
    assert (span.attributes["error.type"], span.status.status_code) == ("forbidden", StatusCode.UNSET)


async def test_a_fault_of_the_server_is_an_error_span(traced, connect, spans):
    ana = await connect("ana", to=await traced(entitlements=Broken("broken")))
    ack = await ana.ask(ROOM_JOIN, {"room": topic("18")})
    (span,) = found(spans[0], ROOM_JOIN)
    assert (span.attributes["error.id"], span.status.status_code) == (ack["error"]["id"], StatusCode.ERROR)


async def test_names_that_a_client_invents_share_one_span_name(traced, connect, spans):
    ana = await connect("ana", to=await traced())
    for number in range(3):
        assert await ana.code(f"invented:{number}", {}) == "unknown_event"
    assert len(found(spans[0], "unknown")) == 3


async def test_a_span_has_no_text_user_or_token(traced, connect, spans):
    server = await traced()
    ana = await connect("ana-canary", to=server)
    await ana.ask(NOTE_SEND, {"to": "ben", "text": SECRET_TEXT})
    written = "".join(span.to_json() for span in spans[0].get_finished_spans())
    assert NOTE_SEND in written
    assert not any(secret in written for secret in (SECRET_TEXT, "ana-canary", server.settings.secret))


@pytest.mark.slow
@pytest.mark.needs("cluster")
async def test_a_send_to_redis_is_one_span(create_app, new_tab, spans):
    from ...settings import Settings

    exporter, provider = spans
    with RealRedis() as redis:
        application = trace(create_app(Settings(redis_url=redis.url, redis_seconds=5, **FREE_PORTS)), provider)
        async with running(application) as server:
            ana = new_tab()
            await ana.connect(server.url, server.token("ana"))
            await ana.ask(NOTE_SEND, {"to": "ben", "text": "hello"})
    sent = found(exporter, "redis publish")
    assert sum(span.attributes["messaging.batch.message_count"] for span in sent) >= 1


def test_a_server_without_tracing_never_imports_it():
    code = f"import sys, {PACKAGE}.app, {PACKAGE}.lifecycle; print('{PACKAGE}.tracing' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
