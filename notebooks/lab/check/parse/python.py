"""Converts Python source text to the checker's own syntax tree."""

import ast
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from lab.check.ir import Block, Node, Source, link
from lab.check.parse.python_expressions import EXPRESSIONS
from lab.check.parse.python_source import Placed, Tree, comments
from lab.check.parse.python_statements import STATEMENTS
from lab.check.parse.unparsable import Unparsable

TABLE = EXPRESSIONS | STATEMENTS
# parts of nodes that hold no expression to convert; annotations are kept as text
NO_NODES = {
    *("ctx", "op", "ops", "id", "attr", "arg", "kind", "conversion", "level", "module", "is_async", "simple"),
    *("annotation", "returns", "type_comment", "type_params", "type_ignores", "str", "names"),
}
# each class that was met -> whether its nodes are converted, and their fields that may hold nodes
KINDS: dict[type[ast.AST], tuple[bool, tuple[str, ...]]] = {}


@dataclass(frozen=True, slots=True)
class Scope:
    """What the converter knows of the method and class around a node.

    `this` is the name of the method's first parameter, such as `self`, or None if no name has this meaning here.
    `in_class` is True directly in the body of a class.
    """

    # the name of the first parameter of the method around it
    this: str | None = None
    # directly in the body of a class
    in_class: bool = False


def parse(text: str) -> Source:
    """Return the checker's tree of a Python file. Raises `Unparsable` if `text` is not valid Python."""
    text = re.sub(r"\r\n?", "\n", text.removeprefix("\ufeff"))
    module = _syntax(text)
    tree = Tree(text)
    for node in reversed(_ordered(tree, module)):
        new = TABLE.get(node.__class__, _unknown)(tree, node)
        tree.nodes[node] = new
        # some converters place their node themselves
        if not new.line:
            tree.at(new, node)
    lines = tree.lines[:-1] if tree.lines[-1] == "" else tree.lines
    return link(Source("py", tree.many(module.body), comments(text), lines))


def _syntax(text: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            # such as an invalid escape sequence in a string
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        raise Unparsable(error.msg or "invalid syntax", error.lineno) from None
    except ValueError as error:
        raise Unparsable(str(error)) from None
    except (RecursionError, MemoryError):
        raise Unparsable("too deeply nested") from None


def _unknown(tree: Tree, node: ast.AST) -> Node:
    return Block([tree.nodes[child] for child in ast.iter_child_nodes(node) if child in tree.nodes])


def _ordered(tree: Tree, module: ast.Module) -> list[Placed]:
    """Return the nodes of `module` that the checker needs, parents before children.

    The caller converts these nodes to the checker's own form. The function also adds nodes to three sets of `tree`:
    names that mean the instance (`self`) to `these`, methods to `methods`, and assignments in the body of a class to
    `fields`.
    """
    ordered: list[Placed] = []
    waiting: list[tuple[Any, Scope]] = [(module, Scope())]
    while waiting:
        node, scope = waiting.pop()
        kind = node.__class__
        is_converted, names = KINDS.get(kind) or _learn(kind)
        if is_converted:
            ordered.append(node)
        if kind is ast.Name and node.id == scope.this:
            tree.these.add(node)
        enter = ENTER.get(kind)
        inner = enter(tree, node, scope) if enter else scope
        for name in names:
            value = getattr(node, name, None)
            below = inner if name == "body" else scope
            if value.__class__ is list:
                waiting.extend([(child, below) for child in value if isinstance(child, ast.AST)])
            elif isinstance(value, ast.AST):
                waiting.append((value, below))
    return ordered


def _learn(kind: type[ast.AST]) -> tuple[bool, tuple[str, ...]]:
    # nodes of other classes, such as keywords and parameters, are converted with the node around them
    is_converted = issubclass(kind, (ast.stmt, ast.expr, ast.pattern))
    KINDS[kind] = (is_converted, tuple(name for name in kind._fields if name not in NO_NODES))
    return KINDS[kind]


def _enter_assignment(tree: Tree, node: ast.Assign | ast.AnnAssign, scope: Scope) -> Scope:
    if scope.in_class:
        tree.fields.add(node)
    return scope


def _enter_class(tree: Tree, node: ast.ClassDef, scope: Scope) -> Scope:
    return replace(scope, in_class=True)


def _enter_function(tree: Tree, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> Scope:
    if not scope.in_class:
        return _enter_nested(tree, node, scope)
    first = [*node.args.posonlyargs, *node.args.args][:1]
    if not first or any(_is_static(decorator) for decorator in node.decorator_list):
        return Scope()
    tree.methods.add(node)
    return Scope(this=first[0].arg)


def _is_static(decorator: ast.expr) -> bool:
    name = decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")
    return name in ("staticmethod", "abstractstaticmethod")


def _enter_nested(tree: Tree, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: Scope) -> Scope:
    """Return the `Scope` inside a function that is no method.

    `node` is the function, and `scope` is the `Scope` around it. If the function is inside a method, the first
    parameter of the method, such as `self`, means the instance in the function, too. Then `this` of the result is the
    name of this parameter. `this` is None if there is no such parameter, or if the function has a variable of the same
    name.
    """
    if scope.this is None or _binds(node, scope.this):
        return Scope()
    return Scope(this=scope.this)


def _binds(function: ast.AST, name: str) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.arg) and node.arg == name:
            return True
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            return True
    return False


# what a node changes for the nodes in its body
ENTER: dict[type[ast.AST], Callable[[Tree, Any, Scope], Scope]] = {
    ast.Assign: _enter_assignment,
    ast.AnnAssign: _enter_assignment,
    ast.ClassDef: _enter_class,
    ast.FunctionDef: _enter_function,
    ast.AsyncFunctionDef: _enter_function,
    ast.Lambda: _enter_nested,
}
