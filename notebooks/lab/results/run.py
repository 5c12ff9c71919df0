"""Defines `Run`: the measurements of one scenario on one server.

A scenario is an experiment with simulated clients.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# clients that were later than this have also measured their own delay
LATE_SECONDS = 0.25


@dataclass(frozen=True)
class Run:
    """The measurements of one scenario on one server.

    A scenario is an experiment with simulated clients. `value` is the primary metric, in the unit that claims.toml
    gives. `also` maps the keys of the secondary metrics to their values. `broken` says in one sentence why the run
    failed, for example that it took too long; it is None when the run is valid. `details` is JSON-serializable data for
    figures. `lateness_seconds` is the greatest lag of the clients' event loop.
    """

    value: float
    also: Mapping[str, float] = field(default_factory=dict)
    broken: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    lateness_seconds: float = 0.0


def is_late(run: Run) -> bool:
    """Whether the clients' event loop lagged too much during a run.

    A run is one measurement of one server. If its clients were late, the times that the run measured are doubtful, but
    its counts are valid.
    """
    return run.lateness_seconds > LATE_SECONDS
