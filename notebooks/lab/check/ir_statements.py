"""Nodes of the tree for statements. An expression is a statement, too."""

from dataclasses import dataclass, field

from lab.check.ir_expressions import Node


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
    """`if`, `assert`, or one case of `switch` or `match`.

    For `match`, `orelse` holds the next case. If the pattern of a case sets variables, the test is an `Assign`.
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
    """`try` with its handlers.

    `handlers` has the statements of all `catch` or `except` parts. `final` has the statements of `finally`.
    """

    body: list[Node]
    handlers: list[Node]
    final: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Block(Node):
    """A sequence of nodes, for syntax that has no node class.

    Examples are `break`, comprehensions and `global`: see `kind`.
    """

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
    """An export: `export`, `module.exports` or `exports.name`.

    Python has no exports: every name of a Python module can be imported. `module.exports = {a, b: f()}` becomes three
    exports: "a", "b", and "default" for the object literal. A value in the literal that is no variable, such as `f()`,
    is only in its own export: the literal has `module.exports.b` instead. `export const a = 1` becomes two nodes: the
    declaration, and then the export of the name `a`. `export default class A {}` also becomes two nodes.
    `export {a as b} from "x"` becomes an import of `a` as `b`, and the export of `b`. `export * from "x"` becomes the
    export "*" of the `Const` "x".
    """

    name: str
    value: Node
