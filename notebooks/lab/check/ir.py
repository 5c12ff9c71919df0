"""The small syntax tree that all languages are converted to.

Facts and rules are written once, for this tree. JavaScript, TypeScript and Python differ only in `lab.check.parse`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import ClassVar


@dataclass(slots=True, eq=False, kw_only=True)
class Node:
    """A node with its place in the file. Lines and columns begin at 1; `end_line` is the last line."""

    line: int = 0
    column: int = 0
    end_line: int = 0
    # None for a statement of the module; set by `link`
    parent: "Node | None" = field(default=None, repr=False)
    # the fields that hold nodes, set at the end of this module
    holders: ClassVar[tuple[str, ...]] = ()

    def children(self) -> Iterator["Node"]:
        """Yield the nodes directly below this one, in source order."""
        for name in self.holders:
            value = getattr(self, name)
            if isinstance(value, Node):
                yield value
            elif value:
                for part in value:
                    if isinstance(part, Node):
                        yield part
                    else:
                        yield from (node for node in part if isinstance(node, Node))

    def walk(self) -> Iterator["Node"]:
        """Yield this node and all nodes below it, in source order."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            if node.holders:
                waiting.extend(reversed(list(node.children())))


# --- expressions ---


@dataclass(slots=True, eq=False)
class Name(Node):
    """A variable."""

    name: str


@dataclass(slots=True, eq=False)
class This(Node):
    """`this`, or the first parameter of a Python method."""


@dataclass(slots=True, eq=False)
class Const(Node):
    """A literal: a string, number, boolean, or None (also for `null` and `undefined`)."""

    value: object


@dataclass(slots=True, eq=False)
class Text(Node):
    """A string with variable parts: template, f-string, `%` or `.format`, or `+` with a string literal."""

    parts: list[Node]


@dataclass(slots=True, eq=False)
class Member(Node):
    """`obj.name`, also `obj?.name` and `obj!.name`."""

    obj: Node
    name: str


@dataclass(slots=True, eq=False)
class Index(Node):
    """`obj[key]`."""

    obj: Node
    key: Node


@dataclass(slots=True, eq=False)
class Call(Node):
    """`func(args)`; `new` marks `new func(args)`. A spread argument is a `Spread`."""

    func: Node
    args: list[Node]
    # Python only; the name is None for `**options`
    keywords: list[tuple[str | None, Node]] = field(default_factory=list)
    new: bool = False


@dataclass(slots=True, eq=False)
class Spread(Node):
    """`...value`, `*value`."""

    value: Node


@dataclass(slots=True, eq=False)
class Await(Node):
    """`await value`; `yield` counts too, with `value` possibly `Const(None)`. So does the value of `async with`."""

    value: Node


@dataclass(slots=True, eq=False)
class Record(Node):
    """An object or dict literal, or such a pattern. The key of a spread is None; a plain name is a `Const` key."""

    items: list[tuple[Node | None, Node]]


@dataclass(slots=True, eq=False)
class Sequence(Node):
    """An array, list, tuple or set literal, or such a pattern."""

    items: list[Node]


@dataclass(slots=True, eq=False)
class Op(Node):
    """Any other operator. `op` is its JavaScript spelling; `?:` has test, then, else; `is` and `==` give `==`.

    Python's `and`, `or`, `not`, `in`, `not in` are `&&`, `||`, `!`, `in`, `not in`. JavaScript's `===` is `==`.
    """

    op: str
    operands: list[Node]


# --- functions and classes ---


@dataclass(slots=True, eq=False)
class Param(Node):
    """A parameter. `target` is a `Name`, or a `Record` or `Sequence` pattern."""

    target: Node
    type: str = ""
    default: Node | None = None
    decorators: list[Node] = field(default_factory=list)
    rest: bool = False


@dataclass(slots=True, eq=False)
class Func(Node):
    """A function, method, arrow function or lambda. An expression body is one `Return`.

    A Python method's first parameter is not in `params`, unless the method is static. `name` is "" if there is none.
    JavaScript's `get`, `set` and `static` are decorators as in Python: `property`, `x.setter`, `staticmethod`.
    """

    name: str
    params: list[Param]
    body: list[Node]
    is_async: bool = False
    decorators: list[Node] = field(default_factory=list)
    returns: str = ""
    # True for a function that is declared as a statement or as a method, so that its name can be called
    declared: bool = False


@dataclass(slots=True, eq=False)
class Field(Node):
    """A field of a class, or of an interface, type or enum. `value` is None if it has no initial value."""

    name: str
    type: str = ""
    value: Node | None = None
    decorators: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Class(Node):
    """A class, or a TypeScript interface or object type. `body` has `Field`, `Func` and other statements."""

    name: str
    bases: list[Node]
    body: list[Node]
    decorators: list[Node] = field(default_factory=list)
    # "class" or "interface"
    kind: str = "class"


# --- statements; an expression is a statement, too ---


@dataclass(slots=True, eq=False)
class Assign(Node):
    """`target = value`, with `op` "=", "+=" and so on. `declares` is "const", "let", "var", or "" for none.

    Python's assignments declare nothing. `with a as b` and `except E as b` are assignments, too. `i++` has op "++".
    """

    target: Node
    value: Node
    op: str = "="
    declares: str = ""
    type: str = ""


@dataclass(slots=True, eq=False)
class Return(Node):
    """`return value`."""

    value: Node | None


@dataclass(slots=True, eq=False)
class Throw(Node):
    """`throw value`, `raise value`."""

    value: Node | None


@dataclass(slots=True, eq=False)
class Delete(Node):
    """`delete target`, `del target`."""

    target: Node


@dataclass(slots=True, eq=False)
class If(Node):
    """`if`, `assert`, and each case of `switch` and `match`.

    The cases of `match` are a chain: the next one is in `orelse`. The test of a case with names is an `Assign`.
    """

    test: Node
    body: list[Node]
    orelse: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Loop(Node):
    """A loop. `kind` is "of", "in" (keys, JavaScript only), "for" or "while"; comprehensions are loops in a `Block`.

    For "for" and "while", `target` is None and `iterable` is the condition (`Const(None)` if there is none).
    The body of a "for" contains its start and step.
    """

    kind: str
    target: Node | None
    iterable: Node
    body: list[Node]


@dataclass(slots=True, eq=False)
class Try(Node):
    """`try`; `handlers` has the statements of all `catch` or `except` parts, `final` those of `finally`."""

    body: list[Node]
    handlers: list[Node]
    final: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Block(Node):
    """Statements, or parts of an expression or statement that has no node of its own."""

    body: list[Node]
    # "break", "continue" for these; "comprehension"; "global" for the names of `global` and `nonlocal`; else ""
    kind: str = ""


@dataclass(slots=True, eq=False)
class Import(Node):
    """An import. `source` is as written: "./io", "socket.io", "app.core". Python's relative imports begin with dots.

    `names` has pairs of imported and local name. The imported name is "default" for a default import or `require`,
    "*" for the whole module. `import a.b` has local name `a` and imported name "*", with source "a".
    `const {a} = require("x")` is an `Import`, too, and so is `export {a} from "x"`. `from a import *` has ("*", "*").
    """

    source: str
    names: list[tuple[str, str]]


@dataclass(slots=True, eq=False)
class Export(Node):
    """`export`, `module.exports`, `exports.name`. Python has none: there, every name of a module can be imported.

    `module.exports = {a, b: c}` is two exports, a and b, and one "default" whose value is the record. A value there
    that is no variable belongs to its own export only; in the record it is `module.exports.name`.
    `export const a = 1` is the declaration, and then the export of the name `a`; so is `export default class A {}`.
    `export {a as b} from "x"` is an import of a as b, and the export of b. `export * from "x"` is the export "*" of
    the `Const` "x".
    """

    name: str
    value: Node


@dataclass(slots=True, eq=False)
class Source:
    """A parsed file."""

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
    """Set `parent` of every node below `source`, and return `source`."""
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
