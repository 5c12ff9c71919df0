"""Answers for how a class gets out of a notebook: as the text of a module that stands by itself.

The server that it is graded on is another process, to which a class that lives in a kernel cannot be sent.
"""

import ast
import builtins
import dis
import linecache
import sys
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

from lab.exercises.tasks import AnswerError

HEAD = "from __future__ import annotations"
# what only uses the class, the call of its grade above all, stays behind
KEPT = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
CONSTANTS = (str, int, float, bool, type(None), tuple, frozenset)
# a cell may await; it is parsed, never run
CELL = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


def source_of_class(handlers: type[Any]) -> str:
    """A module with the class: its cell's imports, constants and functions, and what it uses of other cells' imports.

    Raises `AnswerError` where that is not enough.
    """
    function = next((value for value in vars(handlers).values() if isinstance(value, FunctionType)), None)
    if function is None:
        raise AnswerError("the class has no method of its own yet")
    lines = linecache.getlines(function.__code__.co_filename)
    if not lines:
        raise AnswerError("its source is not known: run its cell again")
    tree = compile("".join(lines), "cell", "exec", CELL)
    assert isinstance(tree, ast.Module)
    kept = [node for node in tree.body if isinstance(node, KEPT) and not _stays_behind(node)]
    own = "\n\n".join(ast.unparse(node) for node in kept)
    return "\n".join([HEAD, *_imports(own, function.__globals__), own])


def _stays_behind(node: ast.stmt) -> bool:
    """What awaits at the top level, as a cell may and a module may not; and what has to come first."""
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return True
    is_plain = isinstance(node, ast.Assign | ast.AnnAssign)
    return is_plain and any(isinstance(part, ast.Await) for part in ast.walk(node))


def _imports(own: str, known: Mapping[str, Any]) -> list[str]:
    """A line for each name that the code uses and does not define."""
    code = compile(f"{HEAD}\n{own}", "cell", "exec", dont_inherit=True)
    used = {name for name in _names_used(code, set()) if name in known and not hasattr(builtins, name)}
    return [_line(name, known[name]) for name in sorted(used)]


def _names_used(code: CodeType, defined: set[str]) -> Iterator[str]:
    steps = list(dis.get_instructions(code))
    own = defined | {step.argval for step in steps if step.opname == "STORE_NAME"}
    yield from (step.argval for step in steps if step.opname in ("LOAD_NAME", "LOAD_GLOBAL") and step.argval not in own)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_used(constant, own)


def _line(name: str, value: Any) -> str:
    if isinstance(value, ModuleType):
        return f"import {value.__name__} as {name}"
    if isinstance(value, CONSTANTS):
        return f"{name} = {value!r}"
    module, own_name = getattr(value, "__module__", "__main__"), getattr(value, "__qualname__", name)
    if module != "__main__" and getattr(sys.modules.get(module), own_name, None) is value:
        return f"from {module} import {own_name} as {name}"
    raise AnswerError(f"{name} comes from another cell: put it into the cell of the class")
