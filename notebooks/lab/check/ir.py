"""The checker's own syntax tree, the same for all checked languages.

`lab.check.parse` converts JavaScript, TypeScript and Python to this tree. So most of the checker's analysis and of its
rules is written only once.
"""

from dataclasses import dataclass, fields

from lab.check.ir_expressions import (
    Await,
    Call,
    Class,
    Const,
    Field,
    Func,
    Index,
    Member,
    Name,
    Node,
    Op,
    Param,
    Record,
    Sequence,
    Spread,
    Text,
    This,
)
from lab.check.ir_statements import (
    Assign,
    Block,
    Delete,
    Export,
    If,
    Import,
    Loop,
    Return,
    Throw,
    Try,
)

# what other modules import from here
__all__ = [
    "Assign",
    "Await",
    "Block",
    "Call",
    "Class",
    "Const",
    "Delete",
    "Export",
    "Field",
    "Func",
    "If",
    "Import",
    "Index",
    "Loop",
    "Member",
    "Name",
    "Node",
    "Op",
    "Param",
    "Record",
    "Return",
    "Sequence",
    "Source",
    "Spread",
    "Text",
    "This",
    "Throw",
    "Try",
    "link",
]


@dataclass(slots=True, eq=False)
class Source:
    """A parsed source file: its syntax tree, comments and lines."""

    # "js", "ts" or "py"
    language: str
    body: list[Node]
    # line and text of each comment, without its marks
    comments: list[tuple[int, str]]
    # lines of the file, without line ends
    lines: list[str]
    # True if parts of the file could not be read: a syntax error, or nested too deeply
    broken: bool = False


def link(source: Source) -> Source:
    """Set the `parent` of each syntax node in `source`; return `source`.

    The parent of a node is the node that directly contains it. The statements in `source.body` have no parent: their
    `parent` stays None.
    """
    waiting = list(source.body)
    while waiting:
        node = waiting.pop()
        for child in node.children():
            child.parent = node
            if child.holders:
                waiting.append(child)
    return source


# half of all nodes hold no others: to know the fields makes walks fast
for _kind in Node.__subclasses__():
    _types = {part.name: str(part.type) for part in fields(_kind) if part.name != "parent"}
    _kind.holders = tuple(name for name, kind in _types.items() if "Node" in kind or "Param" in kind)
