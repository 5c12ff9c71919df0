"""Exercise server: runs a learner's handlers in a separate process."""

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
# the file name of the answer in tracebacks, and the suffix of the file that records its exceptions
ANSWER, FAULTS = "<answer>", ".faults"


def mistake_module(number: int) -> ModuleType:
    """Return the bad server's module with the mistake of an exercise."""
    return MISTAKES[number - 1]


def load_handlers(source: str, number: int) -> type[Any]:
    """Return the class `Handlers` that an answer defines; raises `AnswerError`.

    The answer can use every name of the module with the mistake, so it only needs to contain what it changes.
    """
    module = mistake_module(number)
    names: dict[str, Any] = {**vars(module), "__name__": "answer"}
    try:
        exec(compile(source, ANSWER, "exec"), names)  # noqa: S102 - its author asks for it to be run
    except SyntaxError as error:
        raise AnswerError(f"line {error.lineno} is not Python: {error.msg}") from None
    except Exception as error:  # noqa: BLE001 - a learner's code may raise anything
        raise AnswerError(f"it does not run: {type(error).__name__}: {error}") from None
    handlers = names["Handlers"]
    if handlers is module.Handlers or not (isinstance(handlers, type) and issubclass(handlers, Gateway)):
        raise AnswerError(f"it has to define class Handlers, derived from {module.__name__}.Handlers")
    return handlers


def _exception_recorder(file: Path) -> Callable[[str, Any], None]:
    """Return a log watcher that writes the answer's exceptions to `file`.

    It writes only exceptions that passed through a function of the answer.
    """

    def record(_: str, entry: Any) -> None:
        error = entry.get("exc_info")
        if not isinstance(error, BaseException):
            return
        functions = [frame.name for frame in traceback.extract_tb(error.__traceback__) if frame.filename == ANSWER]
        if functions:
            with file.open("a", encoding="utf-8") as faults:
                faults.write(f"{traceback.format_exception_only(error)[-1].strip()} in {functions[-1]}\n")

    return record


def create_app(settings: Settings) -> Application:
    """Create a server that runs only the handlers of the answer.

    They are in the namespace `/`.
    """
    number = int(os.environ[NUMBER_VARIABLE])
    file = Path(os.environ[FILE_VARIABLE])
    handlers = load_handlers(file.read_text(encoding="utf-8"), number)
    watch_log(_exception_recorder(file.with_suffix(FAULTS)))
    parts = create_parts(settings)
    return assemble(parts, [handlers("/", parts)])
