"""Turns a class of a notebook into source code of a module.

The class is a learner's answer to an exercise. It is graded on a server in another process, and the class object of a
notebook cannot be sent there.
"""

import ast
import builtins
import dis
import linecache
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import CodeType, FunctionType, ModuleType
from typing import Any

from lab.exercises.answer_errors import CELL_MARK
from lab.exercises.tasks import AnswerError

HEAD = "from __future__ import annotations"
# statements of other kinds only use the class, such as the call that grades it, and are left out
KEPT = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
CONSTANTS = (str, int, float, bool, type(None), tuple, frozenset)
# a cell may contain await at the top level; it is parsed and never run
CELL = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


def source_of_class(handlers: type[Any]) -> str:
    """Return the source code of a module that defines the class `handlers`.

    The module contains the imports, constants and functions of the notebook cell that defines the class. It also
    defines the names that the class uses from other cells. Raises `AnswerError` if such a name can be neither imported
    nor written as a constant. Also raises `AnswerError` if the class has no method or its source is not known.
    """
    function = next((value for value in vars(handlers).values() if isinstance(value, FunctionType)), None)
    if function is None:
        raise AnswerError("the class has no method of its own yet")
    lines = linecache.getlines(function.__code__.co_filename)
    if not lines:
        raise AnswerError("its source is not known: run its cell again")
    tree = compile("".join(lines), "cell", "exec", CELL)
    assert isinstance(tree, ast.Module)
    kept = [node for node in tree.body if isinstance(node, KEPT) and not _is_left_out(node)]
    own = _as_written(lines, [node for node in tree.body if node not in kept])
    if own is None:
        own = "\n\n".join(ast.unparse(node) for node in kept)
        return "\n".join([HEAD, *_imports(own, function.__globals__), own])
    return "\n".join([HEAD, *_imports(own, function.__globals__), CELL_MARK, own])


def _as_written(lines: Sequence[str], left_out: Iterable[ast.stmt]) -> str | None:
    """Return a notebook cell's code without the statements in `left_out`.

    `lines` is the code of the cell. Spaces replace the left-out statements, so all other lines keep their numbers: an
    error in the learner's class is reported with its line number. Returns None if the remaining code is not valid
    Python.
    """
    rest = [line.encode() for line in lines]
    for node in left_out:
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
            line = rest[number - 1]
            start = node.col_offset if number == node.lineno else 0
            end = node.end_col_offset if number == node.end_lineno else len(line.rstrip(b"\r\n"))
            rest[number - 1] = line[:start] + b" " * ((end or 0) - start) + line[end:]
    text = b"".join(rest).decode()
    try:
        compile(text, "cell", "exec", dont_inherit=True)
    except SyntaxError:
        return None
    return text


def _is_left_out(node: ast.stmt) -> bool:
    """Whether an import or assignment of a notebook must be left out.

    A module is built from a notebook cell, without such a statement. An assignment with `await` is left out, because a
    module does not allow it. A `__future__` import is left out, because it must stand at the start of a module, and the
    built module already starts with its own `__future__` import.
    """
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return True
    is_assignment = isinstance(node, ast.Assign | ast.AnnAssign)
    return is_assignment and any(isinstance(part, ast.Await) for part in ast.walk(node))


def _imports(own: str, known: Mapping[str, Any]) -> list[str]:
    """Return definitions of the names that `own` uses but does not define.

    `own` is the code of the notebook cell with the learner's class, and `known` has the values of all names in the
    notebook. Each definition is one line: an import or a constant. Raises `AnswerError` if a value can be neither
    imported nor written as a constant.
    """
    code = compile(f"{HEAD}\n{own}", "cell", "exec", dont_inherit=True)
    used = {name for name in _names_used(code, set()) if name in known and not hasattr(builtins, name)}
    return [_definition(name, known[name]) for name in sorted(used)]


def _names_used(code: CodeType, defined: set[str]) -> Iterator[str]:
    instructions = list(dis.get_instructions(code))
    own = defined | {step.argval for step in instructions if step.opname == "STORE_NAME"}
    loads = (step.argval for step in instructions if step.opname in ("LOAD_NAME", "LOAD_GLOBAL"))
    yield from (name for name in loads if name not in own)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_used(constant, own)


def _definition(name: str, value: Any) -> str:
    if isinstance(value, ModuleType):
        return f"import {value.__name__} as {name}"
    if isinstance(value, CONSTANTS):
        return f"{name} = {value!r}"
    module, own_name = getattr(value, "__module__", "__main__"), getattr(value, "__qualname__", name)
    if module != "__main__" and getattr(sys.modules.get(module), own_name, None) is value:
        return f"from {module} import {own_name} as {name}"
    raise AnswerError(f"{name} comes from another cell: put it into the cell of the class")
