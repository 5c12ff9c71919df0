"""Exercise server: runs a learner's handlers in a separate process."""

import ast
import multiprocessing
import os
from pathlib import Path
from types import ModuleType
from typing import Any

from bad_server.app import MISTAKES
from good_server.app import Application, Parts, assemble, create_parts
from good_server.gateway import Gateway
from good_server.settings import Settings
from lab.exercises.answer_errors import CELL_MARK
from lab.exercises.answer_places import ANSWER
from lab.exercises.answer_watch import AnswerWatch
from lab.exercises.tasks import AnswerError

NUMBER_VARIABLE, FILE_VARIABLE = "LAB_EXERCISE", "LAB_EXERCISE_FILE"
# the suffixes of the files that record the answer's faults and its server processes
FAULTS, PROCESSES = ".faults", ".processes"


def mistake_module(number: int) -> ModuleType:
    """Return the module of `bad_server` whose mistake is corrected in an exercise."""
    return MISTAKES[number - 1]


def load_handlers(source: str, number: int) -> type[Any]:
    """Return the class `Handlers` that a learner's answer defines; raises `AnswerError`.

    `number` is the number of the exercise. The answer can use every name of the module `mistake_module(number)`, so
    it need not repeat unchanged code of this module. The code of the answer runs in this process. So this function may
    never return, and the answer may end the process.
    """
    module = mistake_module(number)
    names: dict[str, Any] = {**vars(module), "__name__": "answer"}
    code = _compiled(source)
    try:
        exec(code, names)  # noqa: S102 - its author asks for it to be run
    except Exception as error:  # noqa: BLE001 - a learner's code may raise anything
        raise AnswerError(f"it does not run: {_in_one_line(error)}{line_of(error)}") from None
    handlers = names["Handlers"]
    if handlers is module.Handlers or not (isinstance(handlers, type) and issubclass(handlers, Gateway)):
        raise AnswerError(f"it has to define class Handlers, derived from {module.__name__}.Handlers{_others(names)}")
    return handlers


def _compiled(source: str) -> Any:
    if "\0" in source:
        raise AnswerError("it is not Python: it contains NUL bytes")
    try:
        tree = ast.parse(source, ANSWER)
        _count_from_cell(tree, source)
        return compile(tree, ANSWER, "exec")
    except SyntaxError as error:
        raise AnswerError(f"line {error.lineno} is not Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise AnswerError(f"it is not Python: {_in_one_line(error)}") from None


def _count_from_cell(tree: ast.Module, source: str) -> None:
    """Make the line numbers in `tree` start at the notebook cell.

    If `source` comes from a notebook, other lines are above the code of the cell, and they are not counted. For any
    other `source`, nothing changes.
    """
    lines = source.splitlines()
    if CELL_MARK not in lines:
        return
    above = lines.index(CELL_MARK) + 1
    for node in tree.body:
        if node.lineno > above:
            ast.increment_lineno(node, -above)


def _others(names: dict[str, Any]) -> str:
    """Return the end of an error message, with an answer's class names.

    The message says that a learner's answer must define a class `Handlers`. Returns an empty text if the answer has a
    class of this name, or no class at all. `names` are all names that the answer can use.
    """
    found = [name for name, value in names.items() if isinstance(value, type) and value.__module__ == "answer"]
    return f"; it defines class {', '.join(found)}" if found and "Handlers" not in found else ""


def _in_one_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def line_of(error: BaseException) -> str:
    """Return a text that names the line where an exception was raised.

    It is empty when no line of the learner's answer was involved.
    """
    line, step = 0, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == ANSWER:
            line = step.tb_lineno
        step = step.tb_next
    return f" in line {line}" if line else ""


def build(handlers: type[Any], parts: Parts) -> Gateway:
    """Create the gateway of a learner's answer; raises `AnswerError`.

    A gateway is the object that handles the events of a namespace. `handlers` is the learner's class, and `parts` are
    the objects that the class uses. This function also calls `routes()` of the gateway, so that errors in this method
    are found now.
    """
    try:
        gateway: Gateway = handlers("/", parts)
        # a mistake in the routes would otherwise show at the first event
        _ = list(gateway.routes())
    except Exception as error:  # noqa: BLE001 - a learner's code may raise anything
        raise AnswerError(f"its class cannot be used: {_in_one_line(error)}{line_of(error)}") from None
    return gateway


def create_app(settings: Settings) -> Application:
    """Create a server that runs only the handlers of a learner's answer.

    The handlers serve the namespace `/`. The environment variable `LAB_EXERCISE` is the number of the exercise, and
    `LAB_EXERCISE_FILE` is the path of the answer's file.
    """
    number = int(os.environ[NUMBER_VARIABLE])
    file = Path(os.environ[FILE_VARIABLE])
    begin_group(file.with_suffix(PROCESSES))
    watch = AnswerWatch(file.with_suffix(FAULTS))
    watch.install()
    handlers = load_handlers(file.read_text(encoding="utf-8"), number)
    parts = create_parts(settings)
    gateway = build(handlers, parts)
    watch.wrap(gateway)
    return assemble(parts, [gateway])


def begin_group(file: Path) -> None:
    """Make this process the leader of a process group.

    Processes that the answer starts can then be ended together with this process. The id of this process is appended to
    `file`.
    """
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
        with file.open("a", encoding="utf-8") as processes:
            processes.write(f"{os.getpid()}\n")
    # a right answer may start a process pool, which the library forbids to a daemon; there is no public way
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
