"""Converts Python's statements and `match` patterns to `ir` nodes.

`lab.check.ir` is the syntax tree that the checker uses for all languages.
"""

import ast
from typing import Any

from lab.check.ir import (
    Assign,
    Await,
    Block,
    Call,
    Class,
    Const,
    Delete,
    Field,
    Func,
    If,
    Import,
    Loop,
    Name,
    Node,
    Op,
    Record,
    Return,
    Sequence,
    Spread,
    Throw,
    Try,
)
from lab.check.parse.python_expressions import operator, params
from lab.check.parse.python_source import Table, Tree
from lab.check.parse.python_strings import again

STATEMENTS = Table()


def _one(tree: Tree, nodes: list[Node], node: ast.stmt) -> Node:
    return nodes[0] if len(nodes) == 1 else tree.at(Block(nodes), node)


@STATEMENTS.converts("Expr")
def _expression(tree: Tree, node: ast.Expr) -> Node:
    return tree.nodes[node.value]


@STATEMENTS.converts("FunctionDef", "AsyncFunctionDef")
def _function(tree: Tree, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Node:
    return Func(
        node.name,
        params(tree, node),
        tree.many(node.body),
        is_async=isinstance(node, ast.AsyncFunctionDef),
        decorators=tree.many(node.decorator_list),
        returns=tree.text(node.returns) if node.returns else "",
        declared=True,
    )


@STATEMENTS.converts("ClassDef")
def _class(tree: Tree, node: ast.ClassDef) -> Node:
    return Class(node.name, tree.many(node.bases), tree.many(node.body), tree.many(node.decorator_list))


@STATEMENTS.converts("Assign")
def _assign(tree: Tree, node: ast.Assign) -> Node:
    first = node.targets[0]
    if node in tree.fields and len(node.targets) == 1 and isinstance(first, ast.Name):
        return Field(first.id, value=tree.nodes[node.value])
    value = tree.nodes[node.value]
    for target in reversed(node.targets):
        # `a = b = c` is an assignment whose value is one, as in JavaScript
        value = tree.at(Assign(tree.nodes[target], value), node)
        value.column = tree.column(target.lineno, target.col_offset)
    return value


@STATEMENTS.converts("AnnAssign")
def _annotated(tree: Tree, node: ast.AnnAssign) -> Node:
    value = tree.nodes[node.value] if node.value else None
    kind = tree.text(node.annotation)
    if node in tree.fields and isinstance(node.target, ast.Name):
        return Field(node.target.id, kind, value)
    return Assign(tree.nodes[node.target], value or tree.at(Const(None), node), type=kind)


@STATEMENTS.converts("AugAssign")
def _augmented(tree: Tree, node: ast.AugAssign) -> Node:
    return Assign(tree.nodes[node.target], tree.nodes[node.value], operator(node.op) + "=")


@STATEMENTS.converts("TypeAlias")
def _type_alias(tree: Tree, node: Any) -> Node:
    # this class is newer than Python 3.11
    return Assign(tree.nodes[node.name], tree.nodes[node.value])


@STATEMENTS.converts("Return")
def _return(tree: Tree, node: ast.Return) -> Node:
    return Return(tree.nodes[node.value] if node.value else None)


@STATEMENTS.converts("Raise")
def _raise(tree: Tree, node: ast.Raise) -> Node:
    return Throw(tree.nodes[node.exc] if node.exc else None)


@STATEMENTS.converts("Assert")
def _assert(tree: Tree, node: ast.Assert) -> Node:
    throw = tree.at(Throw(tree.nodes[node.msg] if node.msg else None), node)
    return If(tree.at(Op("!", [tree.nodes[node.test]]), node), [throw])


@STATEMENTS.converts("Delete")
def _delete(tree: Tree, node: ast.Delete) -> Node:
    return _one(tree, [tree.at(Delete(tree.nodes[target]), target) for target in node.targets], node)


@STATEMENTS.converts("If")
def _if(tree: Tree, node: ast.If) -> Node:
    return If(tree.nodes[node.test], tree.many(node.body), tree.many(node.orelse))


@STATEMENTS.converts("For", "AsyncFor")
def _for(tree: Tree, node: ast.For | ast.AsyncFor) -> Node:
    loop = Loop("of", tree.nodes[node.target], tree.nodes[node.iter], tree.many(node.body))
    return _one(tree, [tree.at(loop, node), *tree.many(node.orelse)], node)


@STATEMENTS.converts("While")
def _while(tree: Tree, node: ast.While) -> Node:
    loop = Loop("while", None, tree.nodes[node.test], tree.many(node.body))
    return _one(tree, [tree.at(loop, node), *tree.many(node.orelse)], node)


@STATEMENTS.converts("With", "AsyncWith")
def _with(tree: Tree, node: ast.With | ast.AsyncWith) -> Node:
    opened: list[Node] = []
    for item in node.items:
        place = item.context_expr
        value = tree.nodes[place]
        if isinstance(node, ast.AsyncWith):
            value = tree.at(Await(value), place)
        if item.optional_vars:
            value = tree.at(Assign(tree.nodes[item.optional_vars], value), place)
        opened.append(value)
    return Block([*opened, *tree.many(node.body)])


@STATEMENTS.converts("Try", "TryStar")
def _try(tree: Tree, node: ast.Try) -> Node:
    caught: list[Node] = []
    for handler in node.handlers:
        if handler.name and handler.type:
            name = tree.at(Name(handler.name), handler.type)
            caught.append(tree.at(Assign(name, tree.nodes[handler.type]), handler.type))
        caught.extend(tree.many(handler.body))
    return Try(tree.many([*node.body, *node.orelse]), caught, tree.many(node.finalbody))


@STATEMENTS.converts("Global", "Nonlocal")
def _global(tree: Tree, node: ast.Global | ast.Nonlocal) -> Node:
    return Block([tree.at(Name(name), node) for name in node.names], kind="global")


@STATEMENTS.converts("Break", "Continue")
def _jump(tree: Tree, node: ast.Break | ast.Continue) -> Node:
    return Block([], kind="break" if isinstance(node, ast.Break) else "continue")


@STATEMENTS.converts("Import")
def _import(tree: Tree, node: ast.Import) -> Node:
    found: list[Node] = []
    for alias in node.names:
        source, name = alias.name, alias.asname
        if not name:
            source = name = source.partition(".")[0]
        found.append(tree.at(Import(source, [("*", name)]), node))
    return _one(tree, found, node)


@STATEMENTS.converts("ImportFrom")
def _import_from(tree: Tree, node: ast.ImportFrom) -> Node:
    source = "." * node.level + (node.module or "")
    return Import(source, [(alias.name, alias.asname or alias.name) for alias in node.names])


@STATEMENTS.converts("Match")
def _match(tree: Tree, node: ast.Match) -> Node:
    subject = tree.nodes[node.subject]
    subjects = [subject, *(again(subject) for _ in node.cases[1:])]
    otherwise: list[Node] = []
    for case, value in reversed(list(zip(node.cases, subjects, strict=True))):
        if isinstance(case.pattern, ast.MatchAs) and not (case.pattern.name or case.guard):
            # `case _` is an `else`
            otherwise = tree.many(case.body)
            continue
        test = _case_test(tree, case, value)
        otherwise = [tree.at(If(test, tree.many(case.body), otherwise), case.pattern)]
        otherwise[0].end_line = case.body[-1].end_lineno or 0
    return _one(tree, otherwise, node)


def _case_test(tree: Tree, case: ast.match_case, subject: Node) -> Node:
    """Return the condition under which a `case` of a `match` statement runs.

    `subject` is the value after `match`. If the pattern sets variables, the condition is an assignment of `subject` to
    the pattern. Otherwise the condition compares `subject` with the pattern. An `if` after the pattern is added with
    `&&`.
    """
    place = case.pattern
    binds = any(getattr(part, "name", None) or getattr(part, "rest", None) for part in ast.walk(place))
    pattern = tree.nodes[place]
    test: Node = Assign(pattern, subject) if binds else Op("==", [subject, pattern])
    tree.at(test, place)
    return tree.at(Op("&&", [test, tree.nodes[case.guard]]), place) if case.guard else test


@STATEMENTS.converts("MatchValue")
def _match_value(tree: Tree, node: ast.MatchValue) -> Node:
    return tree.nodes[node.value]


@STATEMENTS.converts("MatchSingleton")
def _match_singleton(tree: Tree, node: ast.MatchSingleton) -> Node:
    return Const(node.value)


@STATEMENTS.converts("MatchSequence")
def _match_sequence(tree: Tree, node: ast.MatchSequence) -> Node:
    return Sequence(tree.many(node.patterns))


@STATEMENTS.converts("MatchMapping")
def _match_mapping(tree: Tree, node: ast.MatchMapping) -> Node:
    items: list[tuple[Node | None, Node]] = list(zip(tree.many(node.keys), tree.many(node.patterns), strict=True))
    rest: list[tuple[Node | None, Node]] = [(None, tree.at(Name(node.rest), node))] if node.rest else []
    return Record([*items, *rest])


@STATEMENTS.converts("MatchClass")
def _match_class(tree: Tree, node: ast.MatchClass) -> Node:
    named = zip(node.kwd_attrs, tree.many(node.kwd_patterns), strict=True)
    return Call(tree.nodes[node.cls], tree.many(node.patterns), list(named))


@STATEMENTS.converts("MatchStar", "MatchAs")
def _match_name(tree: Tree, node: ast.MatchStar | ast.MatchAs) -> Node:
    name = tree.at(Name(node.name), node) if node.name else tree.at(Block([]), node)
    if isinstance(node, ast.MatchStar):
        return Spread(name)
    return Assign(name, tree.nodes[node.pattern]) if node.pattern else name


@STATEMENTS.converts("MatchOr")
def _match_or(tree: Tree, node: ast.MatchOr) -> Node:
    return Op("||", tree.many(node.patterns))
