"""The checker's syntax-tree nodes for statements.

Statements and expressions have the same base class `Node`, so an expression can stand where a statement stands.
"""

from dataclasses import dataclass, field

from lab.check.ir_expressions import Node


@dataclass(slots=True, eq=False)
class Assign(Node):
    """An assignment `target = value`. `op` is its operator, such as "=" or "+=".

    `declares` is the keyword "const", "let" or "var", or "" if the assignment declares no variable. Python's
    assignments declare nothing. `with a as b` and `except E as b` are assignments, too. `i++` has the operator "++".
    """

    target: Node
    value: Node
    op: str = "="
    declares: str = ""
    type: str = ""


@dataclass(slots=True, eq=False)
class Return(Node):
    """A `return` statement. `value` is None if nothing is returned."""

    value: Node | None


@dataclass(slots=True, eq=False)
class Throw(Node):
    """A `throw` statement, or Python's `raise`. `value` is None for a bare `raise`."""

    value: Node | None


@dataclass(slots=True, eq=False)
class Delete(Node):
    """JavaScript's `delete target`, or Python's `del target`."""

    target: Node


@dataclass(slots=True, eq=False)
class If(Node):
    """An `if` or `assert` statement, or one case of `switch` or `match`.

    `orelse` has the statements of `else`. For a case of `switch` or `match`, it usually has the next case. If the
    pattern of a `match` case sets variables, `test` contains an `Assign` of the matched value to the pattern.
    """

    test: Node
    body: list[Node]
    orelse: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Loop(Node):
    """A loop. `kind` is "of", "in", "for" or "while".

    A loop "of" visits elements: JavaScript's `for … of`, Python's `for`, or a loop inside a comprehension. A loop "in"
    is JavaScript's `for … in`, which visits keys. `target` is the loop variable, and `iterable` the expression after
    `of` or `in`. For "for" and "while", `target` is None and `iterable` is the condition (`Const(None)` if there is
    none). The body of a "for" begins with its initializer (`let i = 0`) and ends with its step (`i++`).
    """

    kind: str
    target: Node | None
    iterable: Node
    body: list[Node]


@dataclass(slots=True, eq=False)
class Try(Node):
    """A `try` statement with its `catch` or `except` parts.

    `handlers` has the statements of all these parts. `final` has the statements of `finally`. Python's
    `else` part is the end of `body`.
    """

    body: list[Node]
    handlers: list[Node]
    final: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Block(Node):
    """A sequence of nodes, for syntax that has no node class.

    `kind` is "break", "continue", "comprehension" or "global" (for Python's `global` and `nonlocal`). For all other
    syntax it is "".
    """

    body: list[Node]
    # "break", "continue" for these; "comprehension"; "global" for the names of `global` and `nonlocal`; else ""
    kind: str = ""


@dataclass(slots=True, eq=False)
class Import(Node):
    """An import. `source` is the imported module, such as "./io", "socket.io" or "app.core".

    `source` is written as in the code, so Python's relative imports begin with dots. `names` has pairs of imported and
    local name. The imported name is "default" for a default import or `require`, and "*" for the whole module. Python's
    `import a.b` has the source "a", the imported name "*" and the local name "a". `from a import *` has the pair
    `("*", "*")`. `const {a} = require("x")` is an `Import`, too. `export {a} from "x"` becomes an `Import` and an
    `Export`.
    """

    source: str
    names: list[tuple[str, str]]


@dataclass(slots=True, eq=False)
class Export(Node):
    """An export: `export`, `module.exports` or `exports.name`.

    Python has no exports: every name of a Python module can be imported. `module.exports = {a, b: f()}` becomes three
    exports: "a", "b", and "default" for the object literal. A value in the literal that is no variable, such as `f()`,
    moves to its own export, and `module.exports.b` replaces it in the literal. `export const a = 1` becomes two nodes:
    the declaration, and then the export of the name `a`. `export default class A {}` also becomes two nodes.
    `export {a as b} from "x"` becomes an import of `a` as `b`, and the export of `b`. `export * from "x"` becomes the
    export "*" of the `Const` "x".
    """

    name: str
    value: Node
