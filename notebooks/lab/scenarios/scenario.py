"""A scenario: one experiment, run by the same clients on either server."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from lab.results.run import Run


@dataclass(frozen=True)
class Scenario:
    """One experiment; `run(target, seed=…, …)` measures once.

    `settings` are the environment variables of its servers. One that `runs_alone` has nothing else beside it. Where it
    `makes_reports`, a server of several processes needs one more for them.
    """

    run: Callable[..., Awaitable[Run]]
    settings: Mapping[str, str] = field(default_factory=dict)
    runs_alone: bool = False
    makes_reports: bool = False
