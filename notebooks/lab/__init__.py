"""The lab runs the same clients against `bad_server` and `good_server`.

It compares what the clients measured. Notebooks use a few names of this package directly. Each of these names is
imported on its first use, so `import lab` is fast.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

# first, because the other modules need the syntax and the packages of a supported Python
if not (3, 11) <= sys.version_info[:2] <= (3, 14):
    sys.stderr.write("lab: Python {}.{} is not supported; it needs 3.11 to 3.14\n".format(*sys.version_info))
    sys.exit(2)

if TYPE_CHECKING:
    from lab.diagnosis.notebook_session import diagnose as diagnose
    from lab.diagnosis.notebook_session import examination as examination
    from lab.exercises.notebook_help import grade as grade
    from lab.exercises.notebook_help import hint as hint
    from lab.exercises.notebook_help import solution as solution
    from lab.interview.questions import questions as questions
    from lab.lessons.cell_output import draw as draw
    from lab.lessons.cell_output import fold as fold
    from lab.lessons.cell_output import table as table
    from lab.lessons.code_excerpt import show as show
    from lab.lessons.find_in_code import find_in_code as find_in_code
    from lab.lessons.heartbeats import heartbeats as heartbeats
    from lab.lessons.lesson import lesson as lesson
    from lab.lessons.scoreboard import measure_all as measure_all
    from lab.lessons.scoreboard import scoreboard as scoreboard
    from lab.live.notebook import show_live as show_live

_NOTEBOOK_NAMES = {
    "lab.diagnosis.notebook_session": ("diagnose", "examination"),
    "lab.exercises.notebook_help": ("grade", "hint", "solution"),
    "lab.interview.questions": ("questions",),
    "lab.lessons.cell_output": ("draw", "fold", "table"),
    "lab.lessons.code_excerpt": ("show",),
    "lab.lessons.find_in_code": ("find_in_code",),
    "lab.lessons.heartbeats": ("heartbeats",),
    "lab.lessons.lesson": ("lesson",),
    "lab.lessons.scoreboard": ("measure_all", "scoreboard"),
    "lab.live.notebook": ("show_live",),
}


def __getattr__(name: str) -> Any:
    for source, names in _NOTEBOOK_NAMES.items():
        if name in names:
            module = importlib.import_module(source)
            globals()[name] = getattr(module, name)
            return globals()[name]
    raise AttributeError(f"module 'lab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(name for names in _NOTEBOOK_NAMES.values() for name in names)
