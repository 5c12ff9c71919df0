"""Answers for what operators see: one JSON line a happening, and metrics under conventional names.

Neither ever holds a token or a message's text, and no metric has a user as a label.
"""

import logging
import sys
from functools import lru_cache
from typing import Any

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

log: structlog.typing.FilteringBoundLogger = structlog.get_logger("good_server")


def configure_logging(*, json_lines: bool) -> None:
    """Logs to stderr: JSON lines in production, readable ones in development."""
    # the default would print every frame's locals, tokens and texts among them
    plain = structlog.dev.plain_traceback
    readable = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    renderer: Any = structlog.processors.JSONRenderer(serializer=_as_json) if json_lines else readable
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if json_lines else structlog.processors.StackInfoRenderer(),
    ]
    # straight to stderr: the standard library's records and locks would be half of what a line costs
    structlog.configure(
        processors=[*shared, renderer],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    # the libraries' own records get the same form
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)


def _as_json(entry: Any, **_ignored: Any) -> str:
    return orjson.dumps(entry, default=repr).decode()


class Metrics:
    """The server's metrics, in a registry of their own so that two servers in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.connections = Gauge("server_connections", "Connections open now.", registry=self.registry)
        self.connects = Counter("server_connects", "Connects by outcome.", ["outcome"], registry=self.registry)
        self.closes = Counter("server_closes", "Closed connections by reason.", ["reason"], registry=self.registry)
        self.slow_readers = Counter(
            "server_slow_readers",
            "Connections closed as owed too much or too long.",
            ["reason"],
            registry=self.registry,
        )
        self.outbox_bytes = Gauge("server_outbox_bytes", "Bytes owed to readers, all together.", registry=self.registry)
        self.events = Counter(
            "server_events", "Events by name and outcome.", ["event", "outcome"], registry=self.registry
        )
        self.handler_seconds = Histogram(
            "server_handler_seconds", "Time in a handler, in seconds.", ["event"], registry=self.registry
        )

        # `labels` builds its key anew each time, and there are few events and outcomes
        self._timed = lru_cache(self.handler_seconds.labels)
        self._counted = lru_cache(self.events.labels)

    def count_event(self, name: str, outcome: str, seconds: float) -> None:
        """One event that was answered."""
        self._timed(name).observe(seconds)
        self._counted(name, outcome).inc()

    def exposition(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self.registry)
