"""Answers for code that is shown: cut from the module as it is now, never pasted, so that it cannot be out of date."""

import ast
import importlib.util
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.lessons.cell_output import show_output

MARK = "# <-"


class ExcerptError(Exception):
    """There is no such code; the message is one line that says what was looked for, and where."""


@dataclass(frozen=True)
class Excerpt:
    """Lines of a module, some of them marked; shows itself in a notebook and reads as text everywhere else."""

    path: str
    # name, first line, last line
    pieces: tuple[tuple[str, int, int], ...]
    code: str

    def __str__(self) -> str:
        return f"{self._caption('')}\n\n{self.code}"

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        # some pages set a block of code inside an output in their text's own type
        code = f'<div style="font-family: monospace">\n\n```python\n{self.code}\n```\n\n</div>'
        return f"{self._caption('`')}\n\n{code}"

    def _caption(self, quote: str) -> str:
        places = [(f"{quote}{name}{quote} " if name else "") + _lines(*lines) for name, *lines in self.pieces]
        return f"{quote}{self.path}{quote}: {', '.join(places)}"


def _lines(first: int, last: int) -> str:
    return f"line {first}" if first == last else f"lines {first} to {last}"


def show(module: str, *names: str, highlight: Sequence[str] = ()) -> None:
    """Shows code of a module, as `cut` finds it: `show("bad_server.app", "create_app", highlight=["assemble"])`."""
    show_output(cut(module, *names, highlight=highlight))


def cut(module: str, *names: str, highlight: Sequence[str] = ()) -> Excerpt:
    """The functions, classes or constants `names` of a module, or the statements that hold them as text.

    A line that holds a text of `highlight` ends in an arrow. Raises `ExcerptError` for what is not there, or is there
    more than once.
    """
    path = _path(module)
    source = path.read_text(encoding="utf-8")
    lines, tree = source.splitlines(), ast.parse(source)
    pieces = sorted((_find(tree, lines, name, module) for name in names), key=lambda piece: piece[1])
    blocks = [textwrap.dedent("\n".join(lines[first - 1 : last])) for _, first, last in pieces]
    code = _marked("\n\n".join(blocks), highlight, module)
    folders = module.count(".") + (path.name == "__init__.py")
    return Excerpt("/".join(path.parts[-folders - 1 :]), tuple(pieces), code)


def _path(module: str) -> Path:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None:
        raise ExcerptError(f"there is no module {module}")
    return Path(spec.origin)


def _find(tree: ast.Module, lines: Sequence[str], name: str, module: str) -> tuple[str, int, int]:
    named = [(full, node) for full, node in _named(tree) if full == name or full.endswith(f".{name}")]
    found = [piece for piece in named if piece[0] == name] or named
    found = found or [("", node) for node in _holding(tree, lines, name)]
    if not found:
        raise ExcerptError(f"{module} has no {name!r}")
    if len(found) > 1:
        places = ", ".join(f"line {_first(node)}" for _, node in found)
        raise ExcerptError(f"{module} has {name!r} more than once: {places}")
    full, node = found[0]
    return full, _first(node), node.end_lineno or node.lineno


def _named(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.stmt]]:
    """Every function, class and constant with its name as in `Class.method`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + child.name, child
            yield from _named(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.Assign | ast.AnnAssign) and isinstance(node, ast.Module | ast.ClassDef):
            targets = child.targets if isinstance(child, ast.Assign) else [child.target]
            yield from ((prefix + target.id, child) for target in targets if isinstance(target, ast.Name))


def _holding(tree: ast.Module, lines: Sequence[str], text: str) -> list[ast.stmt]:
    """The smallest statement around each line that holds the text."""
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    found: dict[int, ast.stmt] = {}
    for number in (number for number, line in enumerate(lines, 1) if text in line):
        around = [node for node in statements if _first(node) <= number <= (node.end_lineno or node.lineno)]
        if around:
            smallest = min(around, key=lambda node: (node.end_lineno or node.lineno) - _first(node))
            found[_first(smallest)] = smallest
    return list(found.values())


def _first(node: ast.stmt) -> int:
    decorators: Sequence[ast.expr] = getattr(node, "decorator_list", ())
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _marked(code: str, highlight: Sequence[str], module: str) -> str:
    lines = code.splitlines()
    for text in highlight:
        if not any(text in line for line in lines):
            raise ExcerptError(f"the code shown of {module} has no line with {text!r} to highlight")
    chosen = {number for number, line in enumerate(lines) if any(text in line for text in highlight)}
    # not in a column of their own: far to the right they would wrap
    return "\n".join(f"{line}  {MARK}" if number in chosen else line for number, line in enumerate(lines))
