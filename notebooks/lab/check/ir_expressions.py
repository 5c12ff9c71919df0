"""The checker's syntax-tree nodes for expressions, functions and classes.

JavaScript, TypeScript and Python code is converted to these nodes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(slots=True, eq=False, kw_only=True)
class Node:
    """A node of the checker's syntax tree, with its source position.

    Lines and columns begin at 1; `end_line` is the last line.
    """

    line: int = 0
    column: int = 0
    end_line: int = 0
    # None for a statement of the module; set by `link`
    parent: "Node | None" = field(default=None, repr=False)
    # the fields that hold nodes, set by `lab.check.ir`
    holders: ClassVar[tuple[str, ...]] = ()

    def children(self) -> list["Node"]:
        """Return the nodes directly below this node, in source order."""
        found: list[Node] = []
        for name in self.holders:
            value = getattr(self, name)
            if isinstance(value, Node):
                found.append(value)
            elif value:
                for part in value:
                    if isinstance(part, Node):
                        found.append(part)
                    else:
                        found += [node for node in part if isinstance(node, Node)]
        return found

    def walk(self) -> Iterator["Node"]:
        """Yield this node and all nodes below it, in source order."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            if node.holders:
                waiting += node.children()[::-1]


@dataclass(slots=True, eq=False)
class Name(Node):
    """A plain name in the code, such as a variable's name.

    It stands in an expression, or in a destructuring pattern such as `{a, b}`.
    """

    name: str


@dataclass(slots=True, eq=False)
class This(Node):
    """JavaScript's `this`, or the first parameter of a Python method (`self`)."""


@dataclass(slots=True, eq=False)
class Const(Node):
    """A literal: a string, a number, a boolean or None.

    None also stands for `null` and `undefined`.
    """

    value: object


@dataclass(slots=True, eq=False)
class Text(Node):
    """A string with variable parts.

    In the code it is a template literal, an f-string, a string with `%` or `.format`, or `+` with a string literal.
    """

    parts: list[Node]


@dataclass(slots=True, eq=False)
class Member(Node):
    """A field or method of an object: `obj.name`, `obj?.name` or `obj!.name`."""

    obj: Node
    name: str


@dataclass(slots=True, eq=False)
class Index(Node):
    """An access to an element: `obj[key]`."""

    obj: Node
    key: Node


@dataclass(slots=True, eq=False)
class Call(Node):
    """A call: `func(args)`. `new` is True for `new func(args)`. An argument `...a` or `*a` is a `Spread` node."""

    func: Node
    args: list[Node]
    # Python only; the name is None for `**options`
    keywords: list[tuple[str | None, Node]] = field(default_factory=list)
    new: bool = False


@dataclass(slots=True, eq=False)
class Spread(Node):
    """An unpacked value: `...value` in JavaScript, or `*value` in Python."""

    value: Node


@dataclass(slots=True, eq=False)
class Await(Node):
    """An `await value`, a `yield value`, or the value of `async with`.

    For `async with a() as b`, `value` is `a()`. For a `yield` without a value, it is `Const(None)`.
    """

    value: Node


@dataclass(slots=True, eq=False)
class Record(Node):
    """An object or dict literal, or a destructuring pattern like `{a, b}`.

    `items` has pairs of key and value. The key is None for a spread such as `...rest`. A key that is written as a plain
    name, such as `a` in `{a: 1}`, is a `Const`.
    """

    items: list[tuple[Node | None, Node]]


@dataclass(slots=True, eq=False)
class Sequence(Node):
    """An array, list, tuple or set literal, or a destructuring pattern.

    An example of a pattern is `[a, b]` in `const [a, b] = value`.
    """

    items: list[Node]


@dataclass(slots=True, eq=False)
class Op(Node):
    """An operator that has no node class of its own.

    `op` is its JavaScript spelling. Python's `and`, `or`, `not`, `in`, `not in` are `&&`, `||`, `!`, `in`, `not in`.
    Python's `is` and JavaScript's `===` are `==`. The operands of `?:` are the condition, the value for True, and the
    value for False, in this order.
    """

    op: str
    operands: list[Node]


# --- functions and classes ---


@dataclass(slots=True, eq=False)
class Param(Node):
    """A parameter of a function.

    `target` is a `Name`. If the parameter is destructured, as in `function f({a}, [b])`, it is a `Record` or a
    `Sequence`.
    """

    target: Node
    type: str = ""
    default: Node | None = None
    decorators: list[Node] = field(default_factory=list)
    rest: bool = False


@dataclass(slots=True, eq=False)
class Func(Node):
    """A function, method, arrow function or lambda.

    If the body is only an expression, as in a lambda, `body` is one `Return`. `params` leaves out the first parameter
    of a Python method, such as `self`; a static method keeps all parameters. `name` is "" for a function without a
    name. JavaScript's `get`, `set` and `static` become the decorators that Python has: `property`, `x.setter`,
    `staticmethod`.
    """

    name: str
    params: list[Param]
    body: list[Node]
    is_async: bool = False
    decorators: list[Node] = field(default_factory=list)
    returns: str = ""
    # True for a function that is declared as a statement or as a method, so that its name can be called
    declared: bool = False

    def parts(self) -> Iterator[Node]:
        """Yield all nodes in the body of the function."""
        for statement in self.body:
            yield from statement.walk()


@dataclass(slots=True, eq=False)
class Field(Node):
    """A field of a class, or of an interface, type or enum. `value` is None for a field without an initial value."""

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
