"""Run: the measurements of one scenario on one server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# clients that were later than this have also measured their own delay
LATE_SECONDS = 0.25


@dataclass(frozen=True)
class Run:
    """The measurements of one scenario on one server.

    `value` is the primary metric in the unit of claims.toml, and `also` has the secondary metrics by their keys there.
    `broken` is the precondition that failed, in one sentence, or None when the run counts. `details` is data for
    figures, which can be written as JSON. `lateness_seconds` is the worst lag of the event loop of the clients.
    """

    value: float
    also: Mapping[str, float] = field(default_factory=dict)
    broken: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    lateness_seconds: float = 0.0


def is_late(run: Run) -> bool:
    """Whether the client process was late; counts are valid even then."""
    return run.lateness_seconds > LATE_SECONDS
