"""Logs and metrics. They contain no token and no message text, and no metric has a user as label."""

import logging
import sys
from functools import lru_cache, partial
from typing import Any

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__package__)


def configure_logging(*, json_lines: bool) -> None:
    """Log to stderr: JSON lines in production, readable lines in development."""
    # the default would print the local variables of every frame, tokens and texts among them
    plain = structlog.dev.plain_traceback
    readable = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    lines = structlog.processors.JSONRenderer(serializer=lambda entry, **_: orjson.dumps(entry, default=repr).decode())
    renderer: Any = lines if json_lines else readable
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if json_lines else structlog.processors.StackInfoRenderer(),
    ]
    # straight to stderr: records and locks of the standard library would be half of the cost of a line
    structlog.configure(
        processors=[*shared, renderer],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    # records of the libraries get the same form
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)


class Metrics:
    """The metrics of one server. Each server has its own registry, so two servers in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=self.registry), partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self.connections = gauge("server_connections", "Connections open now.")
        self.connects = counter("server_connects", "Connects by outcome.", ["outcome"])
        self.closes = counter("server_closes", "Closed connections by reason.", ["reason"])
        self.evictions = counter("server_evictions", "Sockets closed for a newer one of their user.")
        self.slow_readers = counter(
            "server_slow_readers", "Slow consumers that were disconnected, by reason.", ["reason"]
        )
        self.outbox_bytes = gauge("server_outbox_bytes", "Bytes in all send queues.")
        self.task_failures = counter("server_task_failures", "Errors that ended a long-lived task.", ["task"])
        self.events = counter("server_events", "Events by name and outcome.", ["event", "outcome"])
        self.handler_seconds = histogram("server_handler_seconds", "Time in a handler, in seconds.", ["event"])
        # `labels` builds a new key at each call, and there are few events and outcomes
        self._timed = lru_cache(self.handler_seconds.labels)
        self._counted = lru_cache(self.events.labels)

    def count_event(self, name: str, outcome: str, seconds: float) -> None:
        """Count one answered event, with the seconds that it took."""
        self._timed(name).observe(seconds)
        self._counted(name, outcome).inc()

    def exposition(self) -> bytes:
        """Return the metrics in the text format of Prometheus."""
        return generate_latest(self.registry)
