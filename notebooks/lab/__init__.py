"""The measuring bench: runs the same clients against both servers and compares.

For notebooks it offers a few names of its own, each imported when it is first used: `import lab` alone is light.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.excerpt import show as show
    from lab.lessons import lesson as lesson
    from lab.output import draw as draw
    from lab.output import fold as fold
    from lab.output import table as table

_HOME = {
    "draw": "lab.output",
    "fold": "lab.output",
    "lesson": "lab.lessons",
    "show": "lab.excerpt",
    "table": "lab.output",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'lab' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(_HOME)
