"""Defines `Scenario`: an experiment that measures every server in the same way."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from lab.results.run import Run


@dataclass(frozen=True)
class Scenario:
    """An experiment; `run(target, seed=…, …)` measures one server once.

    `settings` are environment variables of the server. `runs_alone` means that no other scenario may run at the same
    time. `makes_reports` means that a server of several processes needs an additional process that makes the reports.
    """

    run: Callable[..., Awaitable[Run]]
    settings: Mapping[str, str] = field(default_factory=dict)
    runs_alone: bool = False
    makes_reports: bool = False
