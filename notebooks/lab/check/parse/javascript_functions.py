"""Converts functions and object literals to the checker's own syntax tree.

The languages are JavaScript and TypeScript. The module also converts patterns, such as `{a, b}` in
`const {a, b} = value`.
"""

from lab.check import ir
from lab.check.parse.javascript_nodes import Convert, Converter, Made, Syntax, nothing, spread


def type_text(c: Converter, node: Syntax | None) -> str:
    """Return the text of a type annotation, without its colon.

    Several spaces become one space.
    """
    return " ".join(c.slice(node).removeprefix(":").split())


def decorators(c: Converter, node: Syntax) -> list[ir.Node]:
    return c.many(child for child in node.children if child.type == "decorator")


def key(c: Converter, node: Syntax | None) -> ir.Node:
    """Convert the key of an object literal to a syntax node.

    For the plain name in `{name: 1}`, the result is a `Const`, the node for a literal, with the value "name".
    """
    if node is not None and node.type in ("property_identifier", "private_property_identifier"):
        return c.place(ir.Const(c.slice(node)), node)
    return c.one(node)


def key_name(c: Converter, node: Syntax | None) -> str:
    """Return the name of an object's key, or "".

    The result is "" if there is no name, or if the name is known only when the code runs, as in `{[f()]: 1}`. `node`
    can also be the name of a function, method or field.
    """
    if node is not None and node.type == "identifier":
        return c.slice(node)
    made = key(c, node)
    return str(made.value) if isinstance(made, ir.Const) else ""


# --- records and patterns ---


def record(c: Converter, node: Syntax) -> Made:
    """Convert an object literal or an object pattern to a `Record` node.

    An object pattern is, for example, `{a, b}` in `const {a, b} = value`.
    """
    items: list[tuple[ir.Node | None, ir.Node]] = []
    for part in c.parts(node):
        match part.type:
            case "pair" | "pair_pattern":
                items.append((key(c, part.child_by_field_name("key")), c.one(part.child_by_field_name("value"))))
            case "method_definition":
                items.append((key(c, part.child_by_field_name("name")), c.one(part)))
            case "spread_element" | "rest_pattern":
                items.append((None, spread(c, part).value))
            case _:
                value = c.one(part)
                items.append((c.place(ir.Const(value.name), part) if isinstance(value, ir.Name) else None, value))
    return ir.Record(items)


def with_default(c: Converter, node: Syntax) -> Made:
    """Convert only the target of `target = default`.

    For `a = 1` in `const {a = 1} = value`, the result is the syntax node of `a`; the default `1` is left out.
    """
    return c.one(node.child_by_field_name("left"))


def array_pattern(c: Converter, node: Syntax) -> Made:
    """Convert the target `[a, b]` of an assignment.

    A position without a variable, as before `b` in `[, b]`, becomes a `Const` node, so that `b` keeps its position.
    """
    items: list[ir.Node] = []
    is_empty = True
    for child in node.children:
        if child.type == "," and is_empty:
            items.append(c.place(ir.Const(None), child))
        made = c.many([child])
        items += made
        is_empty = child.type in "[," or (is_empty and not made)
    return ir.Sequence(items)


def names_in(target: ir.Node) -> list[str]:
    """Return the names of the variables in an assignment's target.

    The target is the left side, such as `{a, b}` in `const {a, b} = value`.
    """
    return [node.name for node in target.walk() if isinstance(node, ir.Name)]


# --- functions ---


def param(c: Converter, node: Syntax) -> ir.Param | None:
    """Convert a JavaScript or TypeScript parameter to a `Param` node.

    The result is None for TypeScript's `this` parameter.
    """
    target: Syntax | None = node
    default = None
    if node.type in ("required_parameter", "optional_parameter"):
        target = node.child_by_field_name("pattern")
        default = node.child_by_field_name("value")
    elif node.type == "assignment_pattern":
        target = node.child_by_field_name("left")
        default = node.child_by_field_name("right")
    rest = target is not None and target.type == "rest_pattern"
    if target is None or target.type == "this":
        return None
    made = ir.Param(
        spread(c, target).value if rest else c.one(target),
        rest=rest,
        default=c.one(default) if default is not None else None,
    )
    if target is not node:
        made.type = type_text(c, node.child_by_field_name("type"))
        made.decorators = decorators(c, node)
    return c.place(made, node)


def params(c: Converter, node: Syntax) -> list[ir.Param]:
    """Convert the parameters of a function to `Param` nodes."""
    single = node.child_by_field_name("parameter")
    listed = node.child_by_field_name("parameters")
    parts = c.parts(listed) if listed is not None else []
    made = (param(c, part) for part in ([single] if single is not None else parts))
    return [part for part in made if part is not None]


def function(c: Converter, node: Syntax) -> ir.Func:
    """Convert a function, arrow function or method to a `Func` node."""
    name_node = node.child_by_field_name("name")
    body = node.child_by_field_name("body")
    made = ir.Func(key_name(c, name_node), params(c, node), function_body(c, body))
    made.is_async = any(child.type == "async" for child in node.children)
    made.returns = type_text(c, node.child_by_field_name("return_type"))
    made.declared = "declaration" in node.type or "method" in node.type
    made.decorators = [*decorators(c, node), *accessor(c, node, made.name)]
    return made


def accessor(c: Converter, node: Syntax, name: str) -> list[ir.Node]:
    """Return decorator nodes for a method's `get`, `set` or `static`.

    The decorators are those of Python: `property` for `get`, `staticmethod` for `static`, and `x.setter` for `set`,
    where `x` is the `name` of the method.
    """
    made: list[ir.Node] = []
    for child in node.children:
        if child.type == "get":
            made.append(c.place(ir.Name("property"), child))
        elif child.type == "set":
            made.append(c.place(ir.Member(c.place(ir.Name(name), child), "setter"), child))
        elif child.type == "static":
            made.append(c.place(ir.Name("staticmethod"), child))
    return made


def function_body(c: Converter, node: Syntax | None) -> list[ir.Node]:
    """Convert the body of a function to the checker's syntax nodes.

    A body that is only an expression, as in `(x) => x + 1`, becomes one `Return` node.
    """
    if node is None:
        return []
    if node.type == "statement_block":
        return c.many(node.children)
    return [c.place(ir.Return(c.one(node)), node)]


FUNCTIONS: dict[str, Convert] = {
    **dict.fromkeys(("object", "object_pattern"), record),
    "array_pattern": array_pattern,
    **dict.fromkeys(("assignment_pattern", "object_assignment_pattern"), with_default),
    **dict.fromkeys(("function_expression", "function_declaration", "arrow_function"), function),
    **dict.fromkeys(("generator_function", "generator_function_declaration"), function),
    **dict.fromkeys(("method_definition", "abstract_method_signature"), function),
    **dict.fromkeys(
        ("function_signature", "index_signature", "call_signature", "construct_signature", "object_type"), nothing
    ),
}
