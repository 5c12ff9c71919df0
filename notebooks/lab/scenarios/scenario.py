"""Defines `Scenario`: an experiment that measures every server in the same way."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from lab.results.run import Run


@dataclass(frozen=True)
class Scenario:
    """An experiment that measures a server.

    `run(target, seed=…, …)` measures the server `target` once. `settings` are environment variables of the server.
    `runs_alone` means that no other scenario may run at the same time. `makes_reports` means that a server of several
    processes needs an additional process for the reports, which are slow jobs that clients request. `primary_only` are
    arguments for `run`: with these arguments, `run` measures only its main number, the primary metric, and takes less
    time.
    """

    run: Callable[..., Awaitable[Run]]
    settings: Mapping[str, str] = field(default_factory=dict)
    runs_alone: bool = False
    makes_reports: bool = False
    primary_only: Mapping[str, Any] = field(default_factory=dict)

    def without_secondary(self) -> "Scenario":
        """Return a version of this scenario that takes less time.

        It measures the primary metric, which is the main number, in the same way, and omits additional measurements.
        """
        return replace(self, run=partial(self.run, **self.primary_only))
