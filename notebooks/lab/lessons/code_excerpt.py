"""Cuts excerpts out of the current source code of a module.

Lessons show these excerpts instead of copies, so the code in a lesson is always up to date.
"""

import ast
import importlib.util
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.lessons.cell_output import show_output

MARK = "# <-"


class ExcerptError(Exception):
    """The code for an excerpt is missing, or exists more than once.

    A one-line message says what was searched, and where.
    """


@dataclass(frozen=True)
class Excerpt:
    """Some lines of a module's code, with arrows at important lines.

    A notebook shows it as a block of code, a terminal as plain text.
    """

    path: str
    # name, first line, last line
    pieces: tuple[tuple[str, int, int], ...]
    code: str

    def __str__(self) -> str:
        return f"{self._caption('')}\n\n{self.code}"

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return f"{self._caption('`')}\n\n{monospaced(self.code, 'python')}"

    def _caption(self, quote: str) -> str:
        parts = [(f"{quote}{name}{quote} " if name else "") + _lines(*lines) for name, *lines in self.pieces]
        return f"{quote}{self.path}{quote}: {', '.join(parts)}"


def monospaced(code: str, language: str) -> str:
    """Return `code` as a Markdown block with a fixed font and size.

    Some programs that show notebooks would otherwise use another font.
    """
    # some pages do not use such a font for a block of code inside an output, and with their usual size a line of 120
    # characters and its arrow would wrap
    return f'<div style="font-family: monospace; font-size: 12px">\n\n```{language}\n{code}\n```\n\n</div>'


def _lines(first: int, last: int) -> str:
    return f"line {first}" if first == last else f"lines {first} to {last}"


def show(module: str, *names: str, highlight: Sequence[str] = ()) -> None:
    """Show an excerpt of a module's code below the cell.

    The parameters are those of `cut`. Example: `show("bad_server.app", "create_app", highlight=["assemble"])`.
    """
    show_output(cut(module, *names, highlight=highlight))


def cut(module: str, *names: str, highlight: Sequence[str] = ()) -> Excerpt:
    """Cut functions, classes, constants or statements out of a module.

    Each of `names` is the name of a definition, such as `Server.start`. If the module does not define that name, `cut`
    searches the source for it as a string, and takes the smallest statement that contains the string. Each line that
    contains a string of `highlight` gets an arrow at its end. Raises `ExcerptError` if one of these strings or names is
    not found, or if a name is ambiguous.
    """
    path = _path(module)
    source = path.read_text(encoding="utf-8")
    lines, tree = source.splitlines(), ast.parse(source)
    pieces = sorted((_find(tree, lines, name, module) for name in names), key=lambda piece: piece[1])
    blocks = [textwrap.dedent("\n".join(lines[first - 1 : last])) for _, first, last in pieces]
    code = _highlighted("\n\n".join(blocks), highlight, module)
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
    named = [(full, node) for full, node in _definitions(tree) if full == name or full.endswith(f".{name}")]
    found = [piece for piece in named if piece[0] == name] or named
    found = found or [("", node) for node in _statements_with(tree, lines, name)]
    if not found:
        raise ExcerptError(f"{module} has no {name!r}")
    if len(found) > 1:
        places = ", ".join(f"line {_first_line(node)}" for _, node in found)
        raise ExcerptError(f"{module} has {name!r} more than once: {places}")
    full, node = found[0]
    return full, _first_line(node), node.end_lineno or node.lineno


def _definitions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.stmt]]:
    """Yield the name and the AST node of every definition in `node`.

    Definitions are functions, classes and constants. A name is qualified, such as `Class.method`, and begins with
    `prefix`.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + child.name, child
            yield from _definitions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.Assign | ast.AnnAssign) and isinstance(node, ast.Module | ast.ClassDef):
            targets = child.targets if isinstance(child, ast.Assign) else [child.target]
            yield from ((prefix + target.id, child) for target in targets if isinstance(target, ast.Name))


def _statements_with(tree: ast.Module, lines: Sequence[str], text: str) -> list[ast.stmt]:
    """Return, for each line that contains `text`, the smallest enclosing statement."""
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    found: dict[int, ast.stmt] = {}
    for number in (number for number, line in enumerate(lines, 1) if text in line):
        enclosing = [node for node in statements if _first_line(node) <= number <= (node.end_lineno or node.lineno)]
        if enclosing:
            smallest = min(enclosing, key=lambda node: (node.end_lineno or node.lineno) - _first_line(node))
            found[_first_line(smallest)] = smallest
    return list(found.values())


def _first_line(node: ast.stmt) -> int:
    decorators: Sequence[ast.expr] = getattr(node, "decorator_list", ())
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _highlighted(code: str, highlight: Sequence[str], module: str) -> str:
    lines = code.splitlines()
    for text in highlight:
        if not any(text in line for line in lines):
            raise ExcerptError(f"the code shown of {module} has no line with {text!r} to highlight")
    chosen = {number for number, line in enumerate(lines) if any(text in line for text in highlight)}
    # the arrows are not aligned in a column: far to the right they would wrap
    return "\n".join(f"{line}  {MARK}" if number in chosen else line for number, line in enumerate(lines))
