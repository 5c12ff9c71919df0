"""Lines, columns and comments of Python source text."""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from lab.check.ir import Node

AnyNode = TypeVar("AnyNode", bound=Node)
# a class of `ast` whose nodes have a place
Placed = ast.stmt | ast.expr | ast.arg | ast.pattern

# a comment, or a string literal that a `#` may be part of
COMMENT_OR_STRING = re.compile(
    r"""
    \#[^\n]*
    | \"{3} [^\"\\]*+ (?: (?: \\. | \"(?!\"\") ) [^\"\\]*+ )*+ \"{3}
    | '{3} [^'\\]*+ (?: (?: \\. | '(?!'') ) [^'\\]*+ )*+ '{3}
    | \" [^\"\\\n]*+ (?: \\. [^\"\\\n]*+ )*+ \"
    | ' [^'\\\n]*+ (?: \\. [^'\\\n]*+ )*+ '
    """,
    re.VERBOSE | re.DOTALL,
)


class Places:
    """Converts positions of `ast` to columns of the source text.

    `ast` counts columns in UTF-8 bytes, and the checker in characters.
    """

    def __init__(self, text: str) -> None:
        """Split `text` into lines; its line ends must be `\\n`."""
        self.lines = text.split("\n")
        self.is_ascii = text.isascii()
        self._columns: dict[int, list[int]] = {}

    def column(self, line: int, offset: int) -> int:
        """Return the column, counted from 1, of a byte in a line.

        `line` is counted from 1. `offset` is the position of the byte in the line, counted from 0.
        """
        if self.is_ascii:
            return offset + 1
        columns = self._columns.get(line)
        if columns is None:
            text = self.lines[line - 1] if line <= len(self.lines) else ""
            columns = [number for number, letter in enumerate(text, 1) for _ in letter.encode()]
            columns.append(len(text) + 1)
            self._columns[line] = columns
        # before Python 3.12, parts of f-strings may have places outside the line
        return columns[min(offset, len(columns) - 1)]

    def text(self, node: ast.expr) -> str:
        """Return the source of a type annotation as one line.

        A forward reference, such as `"Order"`, is returned without its quotes.
        """
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        last_line = node.end_lineno or node.lineno
        start = self.column(node.lineno, node.col_offset) - 1
        end = self.column(last_line, node.end_col_offset or 0) - 1
        if last_line == node.lineno:
            return self.lines[node.lineno - 1][start:end]
        first, *rest = self.lines[node.lineno - 1 : last_line]
        rest[-1] = rest[-1][:end]
        return " ".join(" ".join([first[start:], *rest]).split())


class Tree(Places):
    """Stores the nodes that are already converted from a Python source.

    The parser converts each node of `ast` to a node of `lab.check.ir`, the checker's own syntax tree. The children of a
    node are converted before the node.
    """

    def __init__(self, text: str) -> None:
        """Store the Python source `text`; no node is converted yet."""
        super().__init__(text)
        self.nodes: dict[ast.AST, Node] = {}
        # names that are the first parameter of their method
        self.these: set[ast.AST] = set()
        # functions whose first parameter is `This`, and assignments in the body of a class
        self.methods: set[ast.AST] = set()
        self.fields: set[ast.AST] = set()

    def at(self, new: AnyNode, node: Placed) -> AnyNode:
        """Give `new` the position of an `ast` node, and return `new`.

        `new` is a node of the checker's own syntax tree, and `node` is the node of `ast`.
        """
        line = node.lineno
        new.line = line
        new.column = node.col_offset + 1 if self.is_ascii else self.column(line, node.col_offset)
        new.end_line = node.end_lineno or line
        return new

    def many(self, nodes: Sequence[ast.AST]) -> list[Node]:
        """Return the converted node of each `ast` node in a list.

        A converted node belongs to `lab.check.ir`, the checker's own syntax tree. All `nodes` must be converted
        already.
        """
        converted = self.nodes
        return [converted[node] for node in nodes]


Converter = Callable[[Tree, Any], Node]


class Table(dict[type[ast.AST], Converter]):
    """Maps each class of `ast` to a converter for its nodes.

    A converter is a function that makes a node of the checker's own syntax tree from an `ast` node of this class.
    """

    def converts(self, *names: str) -> Callable[[Converter], Converter]:
        """Return a decorator that registers a converter for classes of `ast`.

        `names` are the names of these classes. The converter is the decorated function: it makes a node of the
        checker's own syntax tree from an `ast` node. A name that `ast` does not have is left out: an older Python lacks
        some classes.
        """

        def enter(converter: Converter) -> Converter:
            self.update({getattr(ast, name): converter for name in names if hasattr(ast, name)})
            return converter

        return enter


def comments(text: str) -> list[tuple[int, str]]:
    """Return the line and text of each comment, without `#`. The text must be valid Python."""
    found = []
    nests = False
    line, counted = 1, 0
    for match in COMMENT_OR_STRING.finditer(text) if "#" in text else ():
        piece = match[0]
        if piece[0] == "#":
            line += text.count("\n", counted, match.start())
            counted = match.start()
            found.append((line, _bare(piece)))
        elif "{" in piece and text[match.start() - 1].isalpha() and piece.count("{") != piece.count("}"):
            # since Python 3.12: f"{names["first"]}"; the part before the inner quote has an open brace
            nests = True
    return _comments_of_tokens(text, found) if nests else found


def _comments_of_tokens(text: str, otherwise: list[tuple[int, str]]) -> list[tuple[int, str]]:
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        # `tokenize` refuses a few texts that `ast` accepts
        return otherwise
    return [(token.start[0], _bare(token.string)) for token in tokens if token.type == tokenize.COMMENT]


def _bare(comment: str) -> str:
    return comment.lstrip("#").strip()
