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
    from lab.overview import measure_all as measure_all
    from lab.overview import scoreboard as scoreboard
    from lab.questions import questions as questions

_OFFERED = {
    "lab.excerpt": ("show",),
    "lab.help_desk": ("grade", "hint", "solution"),
    "lab.lessons": ("lesson",),
    "lab.output": ("draw", "fold", "table"),
    "lab.overview": ("measure_all", "scoreboard"),
    "lab.questions": ("questions",),
}


def __getattr__(name: str) -> Any:
    for home, names in _OFFERED.items():
        if name in names:
            module = importlib.import_module(home)
            # all of them at once: importing lab.grade has put that module where its function is wanted
            globals().update({offered: getattr(module, offered) for offered in names})
            return globals()[name]
    raise AttributeError(f"module 'lab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(name for names in _OFFERED.values() for name in names)
