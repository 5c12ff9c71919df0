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
    """`try` with its handlers.

    `handlers` has the statements of all `catch` or `except` parts, `final` those of `finally`.
    """

    body: list[Node]
    handlers: list[Node]
    final: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Block(Node):
    """Statements or expressions that have no other node."""

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
