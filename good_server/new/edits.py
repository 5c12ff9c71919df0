"""Functions that make the edits of the command `new`.

The command copies the files of this server, the template, for a new product. It edits some of the files. An edit is a
function that receives a file's text and returns the new text.
"""

import ast
import re
from collections.abc import Callable, Mapping

Edit = Callable[[str], str]
# a place in a text of `files/`, such as `@topic@`
PLACE = re.compile(r"@(\w+)@")
# more than two empty lines
TOO_EMPTY = re.compile(r"\n{4,}")


class EditError(Exception):
    """Raised when a change that `table.py` lists cannot be made.

    The command `new` copies the files of this server for a new product, and makes these changes in the copies.
    """


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with each placeholder, such as `@topic@`, replaced by its value."""
    return PLACE.sub(lambda place: values[place[1]], text)


def replace(old: str, new: str) -> Edit:
    """Return a function that replaces `old` by `new` in a text.

    The function raises `EditError` unless `old` occurs exactly once in the text.
    """

    def edit(text: str) -> str:
        if text.count(old) != 1:
            raise EditError(f"{old!r} occurs {text.count(old)} times, not once")
        return text.replace(old, new)

    return edit


def append(more: str) -> Edit:
    """Return a function that adds `more` at the end of a text."""
    return lambda text: text + more


def drop(*names: str) -> Edit:
    """Return a function that removes top-level definitions from Python source code.

    The function removes the classes, functions and constants called `names`, and the comments above them. It raises
    `EditError` if the source code does not define one of the names.
    """

    def edit(text: str) -> str:
        lines, found = text.splitlines(keepends=True), set()
        for node in reversed(ast.parse(text).body):
            if (name := _defined(node)) in names:
                found.add(name)
                del lines[_first_line(node, lines) : node.end_lineno]
        if found != set(names):
            raise EditError(f"nothing defines {', '.join(sorted(set(names) - found))}")
        return TOO_EMPTY.sub("\n\n\n", "".join(lines)).rstrip("\n") + "\n"

    return edit


def _defined(node: ast.stmt) -> str | None:
    """Return the name that a statement defines, or None."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return None


def _first_line(node: ast.stmt, lines: list[str]) -> int:
    """Return the index of a statement's first line, comments and decorators included."""
    first: int = min(each.lineno for each in [node, *getattr(node, "decorator_list", [])]) - 1
    while first and lines[first - 1].startswith("#"):
        first -= 1
    return first
