"""Converts JavaScript and TypeScript statements to the checker's own syntax tree."""

from lab.check import ir
from lab.check.parse.javascript_functions import type_text
from lab.check.parse.javascript_modules import required
from lab.check.parse.javascript_nodes import Convert, Converter, Made, Syntax, block, first, nothing

# more branches of one `if` or `switch` stand beside each other, not inside each other
MOST_NESTED = 50


def body(c: Converter, node: Syntax | None) -> list[ir.Node]:
    """Convert the body of a statement to the checker's syntax nodes.

    The body is a block in braces or a single statement.
    """
    if node is None:
        return []
    return c.many(node.children) if node.type == "statement_block" else c.many([node])


def expression(c: Converter, node: Syntax) -> Made:
    """Convert an expression statement to the checker's syntax nodes.

    The statement `a, b` gives two nodes, one for each expression.
    """
    made = c.many(node.children)
    if len(made) == 1 and isinstance(made[0], ir.Op) and made[0].op == ",":
        return made[0].operands
    return made


def declaration(c: Converter, node: Syntax) -> Made:
    """Convert a declaration such as `const a = 1, b = 2`.

    Each variable gives one node of the checker's syntax tree: an `Import` for a value such as `require("x")`, else an
    `Assign`.
    """
    kind = node.children[0].type
    declares = kind if kind in ("const", "let", "var") else "const"
    made: list[ir.Node] = []
    for part in c.parts(node):
        if part.type != "variable_declarator":
            made.append(c.one(part))
            continue
        value = part.child_by_field_name("value")
        target = c.one(part.child_by_field_name("name"))
        content = c.one(value) if value is not None else c.place(ir.Const(None), part)
        assign = ir.Assign(target, content, declares=declares, type=type_text(c, part.child_by_field_name("type")))
        made.append(c.place(required(target, content) or assign, part))
    return made


def augmented(c: Converter, node: Syntax) -> Made:
    """Convert `a += b` to an `Assign` node."""
    op = node.child_by_field_name("operator")
    return ir.Assign(c.one(node.children[0]), c.one(node.children[-1]), op.type if op is not None else "=")


def update(c: Converter, node: Syntax) -> Made:
    """Convert `a++` to an `Assign` node."""
    op = node.child_by_field_name("operator")
    target = c.one(node.child_by_field_name("argument"))
    return ir.Assign(target, c.place(ir.Const(1), node), op.type if op is not None else "++")


# --- branches ---


def if_(c: Converter, node: Syntax) -> Made:
    """Convert an `if` statement to nested `If` nodes.

    The branches of `else if` are converted in a loop and not by recursion, as there may be hundreds.
    """
    branches: list[ir.Node] = []
    last: list[ir.Node] = []
    following: Syntax | None = node
    while following is not None:
        parts = c.parts(following)
        test = c.one(parts[0] if parts else None)
        branches.append(c.place(ir.If(test, body(c, following.child_by_field_name("consequence"))), following))
        alternative = following.child_by_field_name("alternative")
        inner = c.parts(alternative) if alternative is not None else []
        following = inner[0] if len(inner) == 1 and inner[0].type == "if_statement" else None
        if following is None and inner:
            last = body(c, inner[0]) if len(inner) == 1 else c.many(inner)
    return _nested(branches, last)


def switch(c: Converter, node: Syntax) -> Made:
    """Convert `switch` to nested `If` nodes.

    A case without statements is joined with the next case.
    """
    value = node.child_by_field_name("value")
    cases = node.child_by_field_name("body")
    default: list[ir.Node] = []
    tests: list[ir.Node] = []
    branches: list[ir.Node] = []
    for part in c.parts(cases) if cases is not None else []:
        tested = part.child_by_field_name("value")
        if tested is not None:
            tests.append(_equal(c, value, tested, again=bool(branches or tests)))
        statements = _case_body(c, part) if part.type.startswith("switch_") else c.many([part])
        if tested is None:
            default += statements
            tests = []
        elif statements:
            test = tests[0] if len(tests) == 1 else c.place(ir.Op("||", tests), part)
            branches.append(c.place(ir.If(test, statements), part))
            tests = []
    return _nested(branches, default) or [c.one(value), *default]


def _nested(branches: list[ir.Node], default: list[ir.Node]) -> list[ir.Node]:
    """Put each `If` node into the `else` of the previous `If`.

    `branches` are the `If` nodes, and `default` are the statements of the last `else`. After `MOST_NESTED` levels, the
    remaining `If` nodes stand side by side.
    """
    result: list[ir.Node] = []
    level = result
    for number, branch in enumerate(branches, 1):
        level.append(branch)
        if number <= MOST_NESTED and isinstance(branch, ir.If):
            level = branch.orelse
    level += default
    return result if branches else []


def _equal(c: Converter, value: Syntax | None, tested: Syntax, *, again: bool) -> ir.Node:
    """Return the node of the comparison that a `case` makes.

    `value` is the expression after `switch`, and `tested` is the expression after `case`. `again` is True for a later
    `case` of the same `switch`. If `value` contains a call, a later comparison leaves `value` out, so that the tree
    contains each call only once.
    """
    left = c.one(value)
    if again and any(isinstance(node, (ir.Call, ir.Func, ir.Assign)) for node in left.walk()):
        left = c.place(ir.Block([]), tested)
    return c.place(ir.Op("==", [left, c.one(tested)]), tested)


def _case_body(c: Converter, node: Syntax) -> list[ir.Node]:
    """Convert the statements of a `case` without its last `break`."""
    statements: list[ir.Node] = []
    for child in node.children_by_field_name("body"):
        statements += body(c, child)
    if statements and isinstance(statements[-1], ir.Block) and statements[-1].kind == "break":
        statements.pop()
    return statements


# --- loops ---


def for_in(c: Converter, node: Syntax) -> Made:
    """Convert a `for` loop with `of` or `in` to a `Loop`.

    Examples are `for (const a of list)` and `for (const key in object)`. `Loop` is a node of the checker's syntax tree.
    """
    op = node.child_by_field_name("operator")
    target, iterable = c.one(node.child_by_field_name("left")), c.one(node.child_by_field_name("right"))
    statements = body(c, node.child_by_field_name("body"))
    return ir.Loop("in" if op is not None and op.type == "in" else "of", target, iterable, statements)


def for_(c: Converter, node: Syntax) -> Made:
    start = body(c, node.child_by_field_name("initializer"))
    condition = body(c, node.child_by_field_name("condition"))
    step = body(c, node.child_by_field_name("increment"))
    test = condition[0] if condition else c.place(ir.Const(None), node)
    return ir.Loop("for", None, test, [*start, *body(c, node.child_by_field_name("body")), *step])


def while_(c: Converter, node: Syntax) -> Made:
    test = c.one(node.child_by_field_name("condition"))
    return ir.Loop("while", None, test, body(c, node.child_by_field_name("body")))


# --- leaving, and errors ---


def try_(c: Converter, node: Syntax) -> Made:
    handlers: list[ir.Node] = []
    handler = node.child_by_field_name("handler")
    if handler is not None:
        caught = handler.child_by_field_name("parameter")
        if caught is not None:
            made = ir.Assign(c.one(caught), c.place(ir.Const(None), caught), declares="let")
            handlers.append(c.place(made, caught))
        handlers += body(c, handler.child_by_field_name("body"))
    final = node.child_by_field_name("finalizer")
    last = body(c, final.child_by_field_name("body")) if final is not None else []
    return ir.Try(body(c, node.child_by_field_name("body")), handlers, last)


def return_(c: Converter, node: Syntax) -> Made:
    parts = c.parts(node)
    return ir.Return(c.one(parts[0]) if parts else None)


def throw(c: Converter, node: Syntax) -> Made:
    parts = c.parts(node)
    return ir.Throw(c.one(parts[0]) if parts else None)


def break_(_: Converter, __: Syntax) -> Made:
    return ir.Block([], "break")


def continue_(_: Converter, __: Syntax) -> Made:
    return ir.Block([], "continue")


def labelled(c: Converter, node: Syntax) -> Made:
    return body(c, node.child_by_field_name("body"))


def body_block(c: Converter, node: Syntax) -> Made:
    """Convert a namespace, declared module or `static {}` block to a `Block`."""
    return ir.Block(body(c, node.child_by_field_name("body")))


STATEMENTS: dict[str, Convert] = {
    **dict.fromkeys(("class_static_block", "internal_module", "module"), body_block),
    **dict.fromkeys(("statement_block", "ERROR"), block),
    "expression_statement": expression,
    **dict.fromkeys(("lexical_declaration", "variable_declaration", "using_declaration"), declaration),
    "augmented_assignment_expression": augmented,
    "update_expression": update,
    "if_statement": if_,
    "else_clause": first,
    "switch_statement": switch,
    "for_in_statement": for_in,
    "for_statement": for_,
    **dict.fromkeys(("while_statement", "do_statement"), while_),
    "try_statement": try_,
    "return_statement": return_,
    "throw_statement": throw,
    "break_statement": break_,
    "continue_statement": continue_,
    "labeled_statement": labelled,
    **dict.fromkeys(("empty_statement", "debugger_statement", "hash_bang_line"), nothing),
}
