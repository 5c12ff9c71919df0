"""Exercise server: a learner's handlers in a server process of their own."""

import os
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from bad_server.app import MISTAKES
from good_server.app import Application, assemble, create_parts
from good_server.gateway import Gateway
from good_server.settings import Settings
from lab.exercises.tasks import AnswerError
from lab.servers.probe import watch_log

NUMBER_VARIABLE, FILE_VARIABLE = "LAB_EXERCISE", "LAB_EXERCISE_FILE"
# what the answer is called in a traceback, and what the exceptions that it raised are written to
ANSWER, FAULTS = "<answer>", ".faults"


def mistake_module(number: int) -> ModuleType:
    """The bad module that the exercise mends."""
    return MISTAKES[number - 1]


def load_handlers(source: str, number: int) -> type[Any]:
    """The class `Handlers` that an answer defines; raises `AnswerError`.

    Every name of the bad module is there, so that an answer has to say only what it changes.
    """
    module = mistake_module(number)
    names: dict[str, Any] = {**vars(module), "__name__": "answer"}
    try:
        exec(compile(source, ANSWER, "exec"), names)  # noqa: S102 - running it is what was asked for, by its author
    except SyntaxError as error:
        raise AnswerError(f"line {error.lineno} is not Python: {error.msg}") from None
    except Exception as error:  # noqa: BLE001 - a learner's code may raise anything
        raise AnswerError(f"it does not run: {type(error).__name__}: {error}") from None
    handlers = names["Handlers"]
    if handlers is module.Handlers or not (isinstance(handlers, type) and issubclass(handlers, Gateway)):
        raise AnswerError(f"it has to define class Handlers, derived from {module.__name__}.Handlers")
    return handlers


def _exception_recorder(file: Path) -> Callable[[str, Any], None]:
    """Writes down, for the grade, each exception that the answer's own code raised."""

    def note(_: str, entry: Any) -> None:
        error = entry.get("exc_info")
        if not isinstance(error, BaseException):
            return
        places = [frame.name for frame in traceback.extract_tb(error.__traceback__) if frame.filename == ANSWER]
        if places:
            with file.open("a", encoding="utf-8") as faults:
                faults.write(f"{traceback.format_exception_only(error)[-1].strip()} in {places[-1]}\n")

    return note


def create_app(settings: Settings) -> Application:
    """The bad server's bootstrap with the answer's class alone, at `/`."""
    number = int(os.environ[NUMBER_VARIABLE])
    file = Path(os.environ[FILE_VARIABLE])
    handlers = load_handlers(file.read_text(encoding="utf-8"), number)
    watch_log(_exception_recorder(file.with_suffix(FAULTS)))
    parts = create_parts(settings)
    return assemble(parts, [handlers("/", parts)])
