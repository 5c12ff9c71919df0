"""Finds the scenarios: the experiments that measure a server."""

import importlib
import pkgutil
import re

from lab import scenarios
from lab.scenarios.scenario import Scenario


def load_scenarios() -> dict[str, Scenario]:
    """Return a dict from a number, such as "01", to its scenario.

    A scenario is an experiment about one of the ten rules that the lab teaches. The number of the rule is the `NN` in
    the name of the scenario's module, `sNN_…`.
    """
    loaded: dict[str, Scenario] = {}
    for module in pkgutil.iter_modules(scenarios.__path__):
        if match := re.match(r"s(\d\d)_", module.name):
            loaded[match[1]] = importlib.import_module(f"lab.scenarios.{module.name}").SCENARIO
    return loaded
