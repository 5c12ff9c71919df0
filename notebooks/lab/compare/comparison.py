"""Defines `Comparison`: the results of the command `lab compare`.

The command measures the bad and the good server with the same experiments.
"""

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
    """The result of one claim: all its runs and the verdict.

    A claim is a statement about the bad and the good server. A run is one measurement of one of these servers. The
    verdict says whether the runs confirm the claim.
    """

    claim: Claim
    runs: Runs
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """The results of the command `lab compare`, and its environment.

    The command measures the bad and the good server. The environment is the machine, the versions and the settings.
    `workers` is the number of processes of each server. If `workers` is greater than 1, `before_any_cut` has results of
    extra measurements, in which no client loses its connection: with one process, and with several processes.
    """

    results: Sequence[Result]
    environment: Mapping[str, Any]
    seconds: float
    workers: int = 1
    before_any_cut: Sequence[TwoProcessResult] = ()

    @property
    def is_shown(self) -> bool:
        """Whether the measurements confirm all statements about the two servers.

        The measurements in `before_any_cut`, which were made without connection cuts, count too.
        """
        verdicts = [result.verdict for result in self.results] + [row.verdict for row in self.before_any_cut]
        return all(verdict.outcome == "shown" for verdict in verdicts)


def environment(seed: int, settings: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return the machine, the versions and the settings of a comparison.

    `settings` has the server settings of each experiment. The key `raised_limits` of the result has all server settings
    that the lab changed from their defaults.
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
