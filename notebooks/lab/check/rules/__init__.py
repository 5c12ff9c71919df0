"""The rules of the checker, one module each.

A rule finds one kind of mistake in code that uses Socket.IO.
"""

import pkgutil
import re
from functools import cache
from importlib import import_module

from lab.check.model import Rule

# other modules are shared by rules
RULE_MODULE = re.compile(r"rm\d{3}")


@cache
def all_rules() -> tuple[Rule, ...]:
    """Return the rule of every module of this package, sorted by id.

    Each module `rmNNN` has its rule in the constant `RULE`, so a new rule is one new file.
    """
    names = [module.name for module in pkgutil.iter_modules(__path__) if RULE_MODULE.fullmatch(module.name)]
    rules: list[Rule] = [import_module(f"{__name__}.{name}").RULE for name in names]
    return tuple(sorted(rules, key=lambda rule: rule.id))
