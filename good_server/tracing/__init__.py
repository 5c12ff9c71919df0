"""Optional spans of OpenTelemetry, per event and per Redis publish.

`trace(application)` switches the spans on. A server without this call never imports this folder. The spans need the
package `opentelemetry-api`. Your application chooses the exporter, as
https://opentelemetry.io/docs/languages/python describes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from opentelemetry.trace import SpanKind, Status, StatusCode, TracerProvider, get_tracer

from ..app import Application
from ..errors import Internal, TimedOut
from ..gateway import Gateway

# connects and disconnects are spans too; other names that no route has are one, as clients choose them
LIFECYCLE = ("connect", "disconnect")
UNKNOWN = "unknown"
# refusals for which the server is responsible; all others are mistakes of clients
FAULTS = frozenset({Internal.code, TimedOut.code})


def trace(application: Application, provider: TracerProvider | None = None) -> Application:
    """Record a span for each event and each publish to Redis.

    Connects and disconnects count as events; messages that go to Redis together are one publish.

    The span of an event has the event's name, and the error code if the event fails. The name of an event without a
    handler is replaced by `unknown`. No span has a payload, token or user. If `provider` is None, the global tracer
    provider of OpenTelemetry is used. Returns `application`. Call `trace` once, before the server starts.
    """
    tracer = get_tracer(__package__ or "", tracer_provider=provider)
    for gateway in application.gateways:
        # python-socketio calls the attribute of this object
        gateway.trigger_event = partial(  # type: ignore[method-assign]
            _traced, tracer, gateway, gateway.trigger_event
        )
    link = getattr(application.guards.cluster, "link", None)
    if link is not None:
        link.around_send = partial(_sending, tracer)
    return application


async def _traced(tracer: Any, gateway: Gateway, trigger_event: Any, event: Any, *arguments: Any) -> Any:
    names = {route.event for route in gateway.routes()}
    name = event if event in names or event in LIFECYCLE else UNKNOWN
    attributes = {"messaging.system": "socket.io", "messaging.destination.name": gateway.namespace}
    with tracer.start_as_current_span(name, kind=SpanKind.SERVER, attributes=attributes) as span:
        ack = await trigger_event(event, *arguments)
        refusal = ack["error"] if isinstance(ack, dict) and "error" in ack else None
        if refusal is not None:
            span.set_attribute("error.type", refusal["code"])
            # the log has the traceback under the same id
            span.set_attributes({"error.id": refusal["id"]} if "id" in refusal else {})
        if refusal is not None and refusal["code"] in FAULTS:
            span.set_status(Status(StatusCode.ERROR))
        return ack


@contextmanager
def _sending(tracer: Any, count: int) -> Iterator[None]:
    attributes = {"messaging.system": "redis", "messaging.batch.message_count": count}
    with tracer.start_as_current_span("redis publish", kind=SpanKind.PRODUCER, attributes=attributes):
        yield
