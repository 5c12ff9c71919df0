"""The catalogue of scenarios: one for each claim."""

import importlib
import pkgutil
import re

from lab import scenarios
from lab.scenarios.scenario import Scenario


def load_scenarios() -> dict[str, Scenario]:
    """Every scenario by its claim's id, found by its module's name `sNN_…`."""
    found: dict[str, Scenario] = {}
    for module in pkgutil.iter_modules(scenarios.__path__):
        if named := re.match(r"s(\d\d)_", module.name):
            found[named[1]] = importlib.import_module(f"lab.scenarios.{module.name}").SCENARIO
    return found
