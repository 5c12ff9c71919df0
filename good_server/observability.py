"""Logs and metrics. They contain no token and no message text, and no metric has a user as label."""

import errno
import logging
import sys
from functools import lru_cache, partial
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from .log_text import LIBRARY_TEXT_LENGTH, indented, json_line, make_values_safe, safe_text

# no free file descriptor in this process, or in the whole system
OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE})
# python-engineio logs this with a traceback, as an `IndexError`, when a packet has a type that does not exist
UNREADABLE_PACKET = "Unknown receive error"
# a loop that is behind by 0.1 s delays every client
LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__package__)


class LibraryLog:
    """Passes warnings and errors of python-socketio and python-engineio to the server's log.

    Their log entries of lower levels contain whole packets, also tokens. Such entries are always dropped. A
    warning or an error may quote a client, so its text is shortened and made safe.
    """

    def __init__(self, library: str) -> None:
        self._library = library

    def debug(self, message: str, *args: object) -> None: ...

    def info(self, message: str, *args: object) -> None: ...

    def warning(self, message: str, *args: object) -> None:
        log.warning("library", library=self._library, text=self._text(message, args))

    def error(self, message: str, *args: object, exc_info: Any = None) -> None:
        more = {"exc_info": exc_info} if exc_info else {}
        log.error("library", library=self._library, text=self._text(message, args), **more)

    def exception(self, message: str, *args: object) -> None:
        if message == UNREADABLE_PACKET and isinstance(sys.exception(), IndexError):
            log.info("bad packet", library=self._library)
        else:
            self.error(message, *args, exc_info=True)

    critical = error

    @staticmethod
    def _text(message: str, args: tuple[object, ...]) -> str:
        return safe_text(str(message) % args if args else str(message))[:LIBRARY_TEXT_LENGTH]


class _WithoutFullFiles(logging.Filter):
    """Drops asyncio's log entries about too many open files. `ProcessWatch` logs this problem only once."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not (record.name == "asyncio" and isinstance(error, OSError) and error.errno in OUT_OF_FILES)


def configure_logging(*, json_lines: bool, level: str = "info") -> None:
    """Log to stderr: JSON lines in production, readable lines in development.

    `level` is `debug`, `info`, `warning` or `error`.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    # the default would print the local variables of every frame, tokens and texts among them
    plain = indented(structlog.dev.plain_traceback)
    readable = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    renderer: Any = structlog.processors.JSONRenderer(serializer=json_line) if json_lines else readable
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if json_lines else make_values_safe,
    ]
    # straight to stderr: records and locks of the standard library would be half of the cost of a line
    structlog.configure(
        processors=[*shared, renderer],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(number),
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
    handler.addFilter(_WithoutFullFiles())
    root = logging.getLogger()
    root.handlers = [handler]
    # libraries would log packets and keys at the level `debug`
    root.setLevel(max(number, logging.INFO))


class Metrics:
    """The metrics of one server. Each server has its own registry, so two servers in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=self.registry), partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self.connections = gauge("server_connections", "Connections open now.")
        self.connects = counter("server_connects", "Connects by outcome.", ["outcome"])
        self.refusals = counter("server_refusals", "Refused tokens by place and reason.", ["where", "reason"])
        self.closes = counter("server_closes", "Closed connections by reason.", ["reason"])
        self.evictions = counter("server_evictions", "Sockets closed for a newer one of their user.")
        self.denials_dropped = counter("server_denials_dropped", "Denials dropped, as there were too many.")
        self.slow_readers = counter(
            "server_slow_readers", "Slow consumers that were disconnected, by reason.", ["reason"]
        )
        self.outbox_bytes = gauge("server_outbox_bytes", "Bytes in all send queues.")
        lag = "Delay of the event loop, in seconds."
        self.loop_lag = histogram("server_loop_lag_seconds", lag, buckets=LAG_BUCKETS)
        self.out_of_files = counter("server_out_of_files", "Times that no file descriptor was left.")
        # memory, processor time and open files of this process, on Linux
        ProcessCollector(registry=self.registry)
        self.task_failures = counter("server_task_failures", "Errors that ended a long-lived task.", ["task"])
        self.events = counter("server_events", "Events by name and outcome.", ["event", "outcome"])
        self.handler_seconds = histogram("server_handler_seconds", "Time in a handler, in seconds.", ["event"])
        # `labels` builds a new key at each call, and there are few events and outcomes
        self._timed = lru_cache(self.handler_seconds.labels)
        self._counted = lru_cache(self.events.labels)

    def count_event(self, name: str, outcome: str, seconds: float) -> None:
        """Count one event and its outcome, `ok` or an error code. `seconds` is how long the event took."""
        self._timed(name).observe(seconds)
        self._counted(name, outcome).inc()

    def exposition(self) -> bytes:
        """Return the metrics in the text format of Prometheus."""
        return generate_latest(self.registry)
