"""Finds the scopes of a file, and the fields of its classes.

A scope is the part of the code, such as a function, in which a variable can be used by its name.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lab.check.ir import (
    Assign,
    Block,
    Call,
    Class,
    Const,
    Export,
    Field,
    Func,
    Import,
    Loop,
    Member,
    Name,
    Node,
    Param,
    Record,
    Source,
    This,
)
from lab.check.ir import Sequence as ListOf

# how a variable gets its value from an expression: ("field", name), ("item",), ("item", number) or ("key",); empty for
# the value itself
Path = tuple[tuple[str, ...], ...]
EACH: Path = (("item",),)
# nodes that may declare or set a variable
DECLARING = (Func, Class, Import, Export, Block, Loop, Assign)


@dataclass(slots=True, eq=False)
class Variable:
    """A variable with everything that is assigned to it in its file."""

    name: str
    # the function that declares it; None for a variable of the module
    owner: Func | None
    module: "Module"
    values: list[tuple[Node, Path]] = field(default_factory=list)
    # set for a parameter
    param: Param | None = None
    # steps from the parameter to this variable, for a destructured parameter
    path: Path = ()
    # set for an import: the source and the imported name
    imported: tuple[str, str] | None = None


@dataclass(slots=True, eq=False)
class Module:
    """A parsed file with its variables, exports, classes, functions and calls."""

    path: str
    source: Source
    scopes: dict[int, dict[str, Variable]] = field(default_factory=dict)
    exports: dict[str, Node] = field(default_factory=dict)
    # sources of `export * from`
    passed_on: list[str] = field(default_factory=list)
    # function and name of each Python `global`
    globals: set[tuple[int, str]] = field(default_factory=set)
    classes: list[Class] = field(default_factory=list)
    funcs: list[Func] = field(default_factory=list)
    # all nodes, in source order: to walk the tree again and again takes long
    nodes: list[Node] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    @property
    def names(self) -> dict[str, Variable]:
        """The variables that the file sets outside all functions, by name."""
        return self.scopes[0]


def enclosing(node: Node, *kinds: type[Node]) -> Iterator[Node]:
    """Yield the syntax-tree nodes around `node`, the innermost first.

    Only nodes of the classes `kinds`, such as `Func` and `If`, are yielded.
    """
    above = node.parent
    while above is not None:
        if isinstance(above, kinds):
            yield above
        above = above.parent


def function_of(node: Node) -> Func | None:
    """Return the innermost function around a syntax tree node, or None."""
    above = node.parent
    while above is not None and not isinstance(above, Func):
        above = above.parent
    return above


def class_of(node: Node) -> Class | None:
    """Return the innermost class around a syntax tree node, or None."""
    above = node.parent
    while above is not None and not isinstance(above, Class):
        above = above.parent
    return above


def patterns(target: Node, path: Path = ()) -> Iterator[tuple[Node, Path]]:
    """Yield each variable or field that an assignment sets, with its path.

    `target` is the left side of the assignment. The path lists the fields and elements that lead from the assigned
    value to the part that the variable gets. In `{user: {id}} = x`, the variable `id` gets `x.user.id`. Each
    path begins with the argument `path`.
    """
    if isinstance(target, Record):
        for key, value in target.items:
            name = getattr(key, "value", None) or getattr(key, "name", None)
            yield from patterns(value, (*path, ("field", str(name))) if name else path)
    elif isinstance(target, ListOf):
        for number, value in enumerate(target.items):
            # in a loop over entries, the first of two is the key
            yield from patterns(value, (*path, ("item", str(number))) if path else EACH)
    else:
        yield target, path


def build(path: str, source: Source) -> Module:
    """Return a `Module` with variables, functions and calls of a parsed file."""
    module = Module(path, source, {0: {}})
    python = source.language == "py"
    later: list[Assign] = []
    for statement in source.body:
        module.nodes += statement.walk()
    module.calls = [node for node in module.nodes if isinstance(node, Call)]
    for part in module.nodes:
        if isinstance(part, DECLARING):
            _declare(module, part, later, python)
    for node in later:
        for target, steps in patterns(node.target):
            if isinstance(target, Name):
                variable = lookup(module, target, target.name) or _variable(module, None, target.name)
                variable.values.append((node.value, steps))
    return module


def _declare(module: Module, node: Node, later: list[Assign], python: bool) -> None:
    owner = function_of(node)
    match node:
        case Func():
            module.funcs.append(node)
            module.scopes.setdefault(id(node), {})
            for param in node.params:
                for target, steps in patterns(param.target):
                    if isinstance(target, Name):
                        variable = _variable(module, node, target.name)
                        variable.param, variable.path = param, steps
            if node.name and not isinstance(node.parent, Class):
                _variable(module, owner if node.declared else node, node.name).values.append((node, ()))
        case Class():
            module.classes.append(node)
            if node.name:
                _variable(module, owner, node.name).values.append((node, ()))
        case Import():
            for imported, local in node.names:
                if local:
                    _variable(module, owner, local).imported = (node.source, imported)
        case Export(name="*", value=Const(value=str(source))):
            module.passed_on.append(source)
        case Export():
            if node.name not in module.exports:
                module.exports[node.name] = node.value
        case Block(kind="global"):
            module.globals |= {(id(owner), part.name) for part in node.body if isinstance(part, Name)}
        case Loop(target=Node() as target):
            step: Path = (("key",),) if node.kind == "in" else EACH
            for name, steps in patterns(target, step):
                if isinstance(name, Name):
                    _variable(module, owner, name.name).values.append((node.iterable, steps))
        case Assign():
            _assign(module, node, owner, later, python)


def _assign(module: Module, node: Assign, owner: Func | None, later: list[Assign], python: bool) -> None:
    if not (node.declares or python):
        later.append(node)
        return
    for target, steps in patterns(node.target):
        if isinstance(target, Name):
            scope = None if (id(owner), target.name) in module.globals else owner
            _variable(module, scope, target.name).values.append((node.value, steps))


def _variable(module: Module, owner: Func | None, name: str) -> Variable:
    scope = module.scopes.setdefault(id(owner) if owner else 0, {})
    return scope.setdefault(name, Variable(name, owner, module))


def lookup(module: Module, place: Node, name: str) -> Variable | None:
    """Return the variable that `name` means at `place`, or None.

    `place` is a node in the syntax tree of `module`.
    """
    scopes = module.scopes
    above = place.parent
    while above is not None:
        scope = scopes.get(id(above))
        if scope is not None and name in scope:
            return scope[name]
        above = above.parent
    return scopes[0].get(name)


def method(cls: Class, name: str) -> Func | None:
    """Return the method of a class with this name, or None."""
    return next((part for part in cls.body if isinstance(part, Func) and part.name == name), None)


def fields_of(cls: Class) -> dict[str, list[Node]]:
    """Return the values assigned to a class's fields, by field name."""
    found: dict[str, list[Node]] = {}
    for part in cls.body:
        if isinstance(part, Field) and part.value is not None:
            found.setdefault(part.name, []).append(part.value)
        elif isinstance(part, Assign) and isinstance(part.target, Name):
            found.setdefault(part.target.name, []).append(part.value)
        for node in part.walk():
            if isinstance(node, Assign) and isinstance(node.target, Member) and isinstance(node.target.obj, This):
                found.setdefault(node.target.name, []).append(node.value)
    return found


def field_type(cls: Class, name: str) -> str:
    """Return the type annotation of a class's field, or ""."""
    return next((part.type for part in cls.body if isinstance(part, Field) and part.name == name), "")


def record_value(record: Record, name: str) -> Node | None:
    """Return the value of key `name` in an object literal, or None."""
    return next((value for key, value in record.items if isinstance(key, Const) and key.value == name), None)
