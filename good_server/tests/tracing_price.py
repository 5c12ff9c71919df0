"""Measures what tracing costs per event: `python -m good_server.tests tracing-price`.

One server handles the same event with and without tracing, in turns. Transports and clients are left out: the number is
the CPU time that tracing adds. The spans go through OpenTelemetry's batch processor to an exporter that drops them.
"""

import asyncio
import statistics
import sys
import time

import aiohttp
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from ..settings import Settings
from ..tracing import trace
from .servers import FREE_PORTS, ONE_ADDRESS, running
from .stand_in import LEAVE, create_app
from .tabs import Tab

ROUNDS = 7
EVENTS = 3000


class Dropped(SpanExporter):
    """Exporter that drops all spans."""

    def export(self, spans):
        return SpanExportResult.SUCCESS

    def shutdown(self):
        pass


async def microseconds_per_event(trigger_event, sid):
    began = time.process_time()
    for _ in range(EVENTS):
        await trigger_event(LEAVE[0], sid, LEAVE[1])
    return (time.process_time() - began) / EVENTS * 1e6


async def measure():
    """Return the CPU time per event without and with tracing.

    Both are lists with one value per round, in µs."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Dropped()))
    application = create_app(Settings(**FREE_PORTS, **ONE_ADDRESS, events_per_second=1e9))
    plain, traced = [], []
    async with aiohttp.ClientSession() as http, running(application) as server:
        tab = Tab(http)
        await tab.connect(server.url, server.token("ana"))
        sid, untraced = tab.sio.get_sid(), server.gateway.trigger_event
        trace(application, provider)
        for _ in range(ROUNDS):
            plain.append(await microseconds_per_event(untraced, sid))
            traced.append(await microseconds_per_event(server.gateway.trigger_event, sid))
        await tab.shut_down()
    provider.shutdown()
    return plain, traced


def main():
    """Print the medians and the spread."""
    plain, traced = asyncio.run(measure())
    added = [after - before for before, after in zip(plain, traced, strict=True)]
    for name, rounds in {"without tracing": plain, "with tracing": traced, "added by tracing": added}.items():
        spread = f"{min(rounds):.1f} to {max(rounds):.1f}"
        sys.stdout.write(f"{name}: {statistics.median(rounds):.1f} µs per event ({spread})\n")
