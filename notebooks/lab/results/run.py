"""One run: what a scenario measured on one server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# clients that were later than this have measured themselves, too
LATE_SECONDS = 0.25


@dataclass(frozen=True)
class Run:
    """What one scenario measured on one server.

    `value` is the primary metric in the unit of claims.toml, `also` the others by their keys there. `broken` is the
    precondition that failed, in one sentence, or None when the run counts. `details` is JSON-able material for
    figures. `lateness_seconds` says how late this process's own loop was at worst.
    """

    value: float
    also: Mapping[str, float] = field(default_factory=dict)
    broken: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    lateness_seconds: float = 0.0


def is_late(run: Run) -> bool:
    """Whether the process of the clients was late; what was counted holds nevertheless."""
    return run.lateness_seconds > LATE_SECONDS
