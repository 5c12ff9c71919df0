"""Converts Python's `ast` expressions to the checker's own syntax tree.

This tree is `lab.check.ir`. It is the same for all languages that the checker reads.
"""

import ast

from lab.check.ir import (
    Assign,
    Await,
    Block,
    Call,
    Const,
    Func,
    If,
    Index,
    Loop,
    Member,
    Name,
    Node,
    Op,
    Param,
    Record,
    Return,
    Sequence,
    Spread,
    Text,
    This,
)
from lab.check.parse.python_source import Table, Tree
from lab.check.parse.python_strings import again, formatted, is_text, joined, percent

EXPRESSIONS = Table()
# `not in` is left out: the spelling checker takes the name of its class for a mistake
OPERATORS: dict[type[ast.AST], str] = {
    ast.And: "&&",
    ast.Or: "||",
    ast.Not: "!",
    ast.USub: "-",
    ast.UAdd: "+",
    ast.Invert: "~",
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.MatMult: "@",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.BitOr: "|",
    ast.BitAnd: "&",
    ast.BitXor: "^",
    ast.Eq: "==",
    ast.Is: "==",
    ast.NotEq: "!=",
    ast.IsNot: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
}


def operator(node: ast.AST) -> str:
    """Return how the checker's syntax tree spells a Python operator.

    This is the spelling of JavaScript if there is one: `&&` for `and`, and `==` for `is`.
    """
    return OPERATORS.get(type(node), "not in")


@EXPRESSIONS.converts("Name")
def _name(tree: Tree, node: ast.Name) -> Node:
    return This() if node in tree.these else Name(node.id)


@EXPRESSIONS.converts("Constant")
def _constant(tree: Tree, node: ast.Constant) -> Node:
    return Const(node.value)


@EXPRESSIONS.converts("Attribute")
def _attribute(tree: Tree, node: ast.Attribute) -> Node:
    return _at_name(tree, Member(tree.nodes[node.value], node.attr), node)


@EXPRESSIONS.converts("Call")
def _call(tree: Tree, node: ast.Call) -> Node:
    function = tree.nodes[node.func]
    named = [(keyword.arg, tree.nodes[keyword.value]) for keyword in node.keywords]
    args = tree.many(node.args)
    if not isinstance(node.func, ast.Attribute):
        return Call(function, args, named)
    template = tree.nodes[node.func.value]
    if node.func.attr == "format" and is_text(template) and (text := formatted(template, args, named)):
        return tree.at(text, node)
    call = _at_name(tree, Call(function, args, named), node.func)
    call.end_line = node.end_lineno or node.lineno
    return call


def _at_name(tree: Tree, new: Node, node: ast.Attribute) -> Node:
    """Set the line and column of `new` from an attribute expression.

    `node` is the expression, such as `obj.name`. If the expression has several lines, `new` gets the line and column of
    `name`. Returns `new`.
    """
    tree.at(new, node)
    if new.end_line > new.line:
        new.line = new.end_line
        new.column = tree.column(new.line, max((node.end_col_offset or 0) - len(node.attr.encode()), 0))
    return new


@EXPRESSIONS.converts("Subscript")
def _subscript(tree: Tree, node: ast.Subscript) -> Node:
    return Index(tree.nodes[node.value], tree.nodes[node.slice])


@EXPRESSIONS.converts("Starred")
def _starred(tree: Tree, node: ast.Starred) -> Node:
    return Spread(tree.nodes[node.value])


@EXPRESSIONS.converts("Await", "Yield", "YieldFrom")
def _await(tree: Tree, node: ast.Await | ast.Yield | ast.YieldFrom) -> Node:
    return Await(tree.nodes[node.value] if node.value else tree.at(Const(None), node))


@EXPRESSIONS.converts("Dict")
def _dict(tree: Tree, node: ast.Dict) -> Node:
    pairs = zip(node.keys, node.values, strict=True)
    return Record([(tree.nodes[key] if key else None, tree.nodes[value]) for key, value in pairs])


@EXPRESSIONS.converts("List", "Tuple", "Set")
def _sequence(tree: Tree, node: ast.List | ast.Tuple | ast.Set) -> Node:
    return Sequence(tree.many(node.elts))


@EXPRESSIONS.converts("UnaryOp")
def _unary(tree: Tree, node: ast.UnaryOp) -> Node:
    return Op(operator(node.op), [tree.nodes[node.operand]])


@EXPRESSIONS.converts("BoolOp")
def _logical(tree: Tree, node: ast.BoolOp) -> Node:
    return Op(operator(node.op), tree.many(node.values))


@EXPRESSIONS.converts("BinOp")
def _binary(tree: Tree, node: ast.BinOp) -> Node:
    left, right = tree.nodes[node.left], tree.nodes[node.right]
    if isinstance(node.op, ast.Add) and (is_text(left) or is_text(right)):
        return tree.at(joined(left, right), node)
    if isinstance(node.op, ast.Mod) and is_text(left):
        return tree.at(percent(left, right), node)
    return Op(operator(node.op), [left, right])


@EXPRESSIONS.converts("Compare")
def _compare(tree: Tree, node: ast.Compare) -> Node:
    left, tests = tree.nodes[node.left], []
    for test, comparator in zip(node.ops, node.comparators, strict=True):
        right = tree.nodes[comparator]
        tests.append(tree.at(Op(operator(test), [left, right]), node))
        left = again(right)
    # `a < b < c` is `a < b and b < c`
    return tests[0] if len(tests) == 1 else Op("&&", list[Node](tests))


@EXPRESSIONS.converts("IfExp")
def _choice(tree: Tree, node: ast.IfExp) -> Node:
    return Op("?:", [tree.nodes[node.test], tree.nodes[node.body], tree.nodes[node.orelse]])


@EXPRESSIONS.converts("NamedExpr")
def _named(tree: Tree, node: ast.NamedExpr) -> Node:
    return Assign(tree.nodes[node.target], tree.nodes[node.value])


@EXPRESSIONS.converts("JoinedStr", "TemplateStr")
def _f_string(tree: Tree, node: ast.JoinedStr) -> Node:
    literals = [part.value for part in node.values if isinstance(part, ast.Constant)]
    if len(literals) == len(node.values):
        return Const("".join(map(str, literals)))
    return Text(tree.many(node.values))


@EXPRESSIONS.converts("FormattedValue", "Interpolation")
def _field(tree: Tree, node: ast.FormattedValue) -> Node:
    value = tree.nodes[node.value]
    # a format such as `{price:{width}}` has variable parts of its own
    if node.format_spec and isinstance(style := tree.nodes[node.format_spec], Text):
        return Block([value, *(part for part in style.parts if not isinstance(part, Const))])
    return value


@EXPRESSIONS.converts("Lambda")
def _lambda(tree: Tree, node: ast.Lambda) -> Node:
    return Func("", params(tree, node), [tree.at(Return(tree.nodes[node.body]), node.body)])


def params(tree: Tree, node: ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef) -> list[Param]:
    """Return the parameters of a function.

    The first parameter of a method, such as `self`, is left out.
    """
    given = node.args
    plain = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(given.defaults))
    pairs = list(zip(plain, [*defaults, *given.defaults], strict=True))[node in tree.methods :]
    named = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    return [
        *(_param(tree, arg, default) for arg, default in pairs),
        *(_param(tree, arg, None, rest=True) for arg in [given.vararg] if arg),
        *(_param(tree, arg, default) for arg, default in named),
        *(_param(tree, arg, None, rest=True) for arg in [given.kwarg] if arg),
    ]


def _param(tree: Tree, arg: ast.arg, default: ast.expr | None, *, rest: bool = False) -> Param:
    kind = tree.text(arg.annotation) if arg.annotation else ""
    value = tree.nodes[default] if default else None
    return tree.at(Param(tree.at(Name(arg.arg), arg), kind, value, rest=rest), arg)


@EXPRESSIONS.converts("ListComp", "SetComp", "GeneratorExp", "DictComp")
def _comprehension(tree: Tree, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Node:
    if isinstance(node, ast.DictComp):
        element: Node = tree.at(Record([(tree.nodes[node.key], tree.nodes[node.value])]), node.key)
    else:
        element = tree.nodes[node.elt]
    for loop in reversed(node.generators):
        for test in reversed(loop.ifs):
            element = tree.at(If(tree.nodes[test], [element]), test)
        target = loop.target
        element = tree.at(Loop("of", tree.nodes[target], tree.nodes[loop.iter], [element]), target)
    return Block([element], kind="comprehension")
