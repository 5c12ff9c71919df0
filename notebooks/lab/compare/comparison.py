"""Defines `Comparison`: the results of all measured claims, and their environment."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import psutil

from lab.compare.two_processes import TwoProcessResult
from lab.results.claims import Claim, Runs
from lab.results.verdict import Verdict
from lab.servers.process import LAB_SETTINGS

VERSIONS_OF = ("python-socketio", "python-engineio", "aiohttp", "uvloop")


@dataclass(frozen=True)
class Result:
    """The result of one claim: all its runs and the verdict."""

    claim: Claim
    runs: Runs
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """The results of one run of `lab compare`, and its environment.

    The environment is the machine, the versions and the settings.
    """

    results: Sequence[Result]
    environment: Mapping[str, Any]
    seconds: float
    # number of processes per side
    workers: int = 1
    # empty when each side has a single process
    before_any_cut: Sequence[TwoProcessResult] = ()

    @property
    def is_shown(self) -> bool:
        """Whether the verdict on every claim is `shown`.

        The verdicts in `before_any_cut` count too.
        """
        verdicts = [result.verdict for result in self.results] + [row.verdict for row in self.before_any_cut]
        return all(verdict.outcome == "shown" for verdict in verdicts)


def environment(seed: int, settings: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return the machine, the versions and the settings of a comparison.

    The key `raised_limits` has the server settings that the lab changed from their defaults.
    """
    raised: dict[str, set[str]] = {name: {value} for name, value in LAB_SETTINGS.items() if not name.endswith("_PORT")}
    for name, value in (item for scenario in settings for item in scenario.items()):
        raised.setdefault(name, set()).add(value)
    return {
        "python": platform.python_version(),
        # without the kernel build, which does not matter for the measurement
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": psutil.cpu_count(),
        "versions": {name: metadata.version(name) for name in VERSIONS_OF if _is_installed(name)},
        "seed": seed,
        "raised_limits": {name: " or ".join(sorted(values)) for name, values in sorted(raised.items())},
    }


def _is_installed(name: str) -> bool:
    return any(metadata.distributions(name=name))
