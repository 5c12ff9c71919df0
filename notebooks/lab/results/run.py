"""Defines `Run`: the measurements of one scenario on one server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# clients that were later than this have also measured their own delay
LATE_SECONDS = 0.25


@dataclass(frozen=True)
class Run:
    """The measurements of one scenario on one server.

    `value` is the primary metric, in the unit of claims.toml. `also` maps the keys of the secondary metrics to their
    values. `broken` is the precondition that failed, in one sentence, or None when the run counts. `details` is data
    for figures, which can be written as JSON. `lateness_seconds` is the greatest lag of the clients' event loop.
    """

    value: float
    also: Mapping[str, float] = field(default_factory=dict)
    broken: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    lateness_seconds: float = 0.0


def is_late(run: Run) -> bool:
    """Whether the process of the clients was late during a run.

    The times of a late run are doubtful; its counts are valid.
    """
    return run.lateness_seconds > LATE_SECONDS
