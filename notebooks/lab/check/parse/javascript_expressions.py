"""Converts JavaScript and TypeScript expressions to the checker's own syntax tree.

The expressions are calls, operators, JSX, and accesses such as `a.b` and `a[b]`.
"""

from lab.check import ir
from lab.check.parse.javascript_nodes import Convert, Converter, Made, Syntax, first, is_text, joined, last

SAME_OPERATOR = {"===": "==", "!==": "!="}
# a chain of one of these is one node with many operands, as in Python's own syntax tree
FLAT_OPERATORS = {"+", "&&", "||", "??"}


# --- access and calls ---


def field(node: Syntax, name: str, position: int, usual: int) -> Syntax | None:
    """Return a node's child: by position if possible, else by name.

    A comment or a type adds a child. So the position is right only if the node has the `usual` number of children.
    """
    children = node.children
    if len(children) == usual:
        return children[position]
    return node.child_by_field_name(name)


def member(c: Converter, node: Syntax) -> ir.Member | ir.Name:
    obj, name = field(node, "object", 0, 3), c.slice(field(node, "property", 2, 3))
    # a property of the global object is a global variable
    if obj is not None and obj.type == "identifier" and c.slice(obj) in ("global", "globalThis"):
        return ir.Name(name)
    return ir.Member(c.one(obj), name)


def subscript(c: Converter, node: Syntax) -> Made:
    return ir.Index(c.one(node.child_by_field_name("object")), c.one(node.child_by_field_name("index")))


def meta(c: Converter, node: Syntax) -> Made:
    obj, _, property_name = c.slice(node).partition(".")
    return ir.Member(c.place(ir.Name(obj.strip()), node), property_name.strip())


def call(c: Converter, node: Syntax) -> Made:
    function = field(node, "function", 0, 2)
    made = ir.Call(_function(c, function), arguments(c, field(node, "arguments", 1, 2)))
    c.place(made, node)
    callee = function
    if function is not None and function.type == "member_expression":
        callee = field(function, "property", 2, 3)
    if callee is not None:
        end_line = made.end_line
        c.place(made, callee)
        made.end_line = end_line
    return made


def _function(c: Converter, node: Syntax | None) -> ir.Node:
    # a chain of calls takes one level for each call, not two
    if node is not None and node.type == "member_expression":
        return c.place(member(c, node), node)
    return c.one(node)


def new(c: Converter, node: Syntax) -> Made:
    function = c.one(node.child_by_field_name("constructor"))
    return ir.Call(function, arguments(c, node.child_by_field_name("arguments")), new=True)


def arguments(c: Converter, node: Syntax | None) -> list[ir.Node]:
    """Convert the arguments of a call to the checker's syntax nodes.

    A tagged template has one argument, the template.
    """
    if node is None:
        return []
    return [c.one(node)] if node.type == "template_string" else c.many(node.children)


# --- operators ---


def operator(node: Syntax) -> str:
    children = node.children
    token = children[1] if len(children) == 3 else node.child_by_field_name("operator")
    return SAME_OPERATOR.get(token.type, token.type) if token is not None else ""


def binary(c: Converter, node: Syntax) -> Made:
    op = operator(node)
    left = field(node, "left", 0, 3)
    right = [field(node, "right", 2, 3)]
    while op in FLAT_OPERATORS and left is not None and left.type == "binary_expression" and operator(left) == op:
        right.append(field(left, "right", 2, 3))
        left = field(left, "left", 0, 3)
    operands = [c.one(left), *(c.one(part) for part in reversed(right))]
    if op == "+" and any(is_text(part) for part in operands):
        return joined(operands)
    return ir.Op(op, operands)


def unary(c: Converter, node: Syntax) -> Made:
    op = node.children[0].type if node.children else ""
    value = c.one(node.child_by_field_name("argument"))
    if op == "delete":
        return ir.Delete(value)
    if op == "-" and isinstance(value, ir.Const) and isinstance(value.value, (int, float)):
        return ir.Const(-value.value)
    return ir.Op(op, [value])


def ternary(c: Converter, node: Syntax) -> Made:
    return ir.Op("?:", c.many(node.children))


def comma(c: Converter, node: Syntax) -> Made:
    """Convert `a, b, c` to one `Op` node with all operands.

    Some grammars parse the text as `a, (b, c)`.
    """
    operands = []
    while True:
        parts = c.parts(node)
        operands += parts[:-1]
        if not parts or parts[-1].type != "sequence_expression":
            return ir.Op(",", c.many([*operands, *parts[-1:]]))
        node = parts[-1]


def wait(c: Converter, node: Syntax) -> Made:
    """Convert `await x` or `yield x` to an `Await` node."""
    parts = c.parts(node)
    return ir.Await(c.one(parts[0]) if parts else c.place(ir.Const(None), node))


def markup(c: Converter, node: Syntax) -> Made:
    """Convert the expressions in JSX to one `Block` (a sequence of nodes).

    An example is `name` in `<p>{name}</p>`. Tags and plain text are left out.
    """
    found: list[Syntax] = []
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if part.type == "jsx_expression":
            found += part.children
        elif part.type.startswith("jsx_"):
            waiting += reversed(part.children)
    return ir.Block(c.many(found))


EXPRESSIONS: dict[str, Convert] = {
    "member_expression": member,
    "nested_identifier": member,
    "nested_type_identifier": member,
    "subscript_expression": subscript,
    "meta_property": meta,
    "call_expression": call,
    "new_expression": new,
    "binary_expression": binary,
    "unary_expression": unary,
    "ternary_expression": ternary,
    "sequence_expression": comma,
    **dict.fromkeys(("await_expression", "yield_expression"), wait),
    **dict.fromkeys(("parenthesized_expression", "as_expression", "satisfies_expression"), first),
    **dict.fromkeys(("non_null_expression", "instantiation_expression", "decorator", "computed_property_name"), first),
    "type_assertion": last,
    **dict.fromkeys(("jsx_element", "jsx_self_closing_element", "jsx_expression", "jsx_fragment"), markup),
}
