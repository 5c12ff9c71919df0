"""Converts records, patterns, functions and classes of JavaScript and TypeScript."""

from lab.check import ir
from lab.check.parse.javascript_nodes import Convert, Converter, Made, Syntax, nothing, spread

# these make a parameter of a constructor a field, too
FIELD_MODIFIERS = {"accessibility_modifier", "readonly", "override_modifier"}
# types that hold the fields of an alias
COMPOSED_TYPES = {"intersection_type", "union_type", "parenthesized_type"}
NAMED_TYPES = {"type_identifier", "nested_type_identifier"}


def type_text(c: Converter, node: Syntax | None) -> str:
    """Return a type as text with single spaces, without its colon."""
    return " ".join(c.slice(node).removeprefix(":").split())


def decorators(c: Converter, node: Syntax) -> list[ir.Node]:
    return c.many(child for child in node.children if child.type == "decorator")


def key(c: Converter, node: Syntax | None) -> ir.Node:
    """Convert a key: a plain name is a `Const`."""
    if node is not None and node.type in ("property_identifier", "private_property_identifier"):
        return c.place(ir.Const(c.slice(node)), node)
    return c.one(node)


def key_name(c: Converter, node: Syntax | None) -> str:
    """Return a key that is fixed, or ""."""
    if node is not None and node.type == "identifier":
        return c.slice(node)
    made = key(c, node)
    return str(made.value) if isinstance(made, ir.Const) else ""


# --- records and patterns ---


def record(c: Converter, node: Syntax) -> Made:
    """Convert an object literal or an object pattern."""
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
    """Convert the target of a pattern that has a default."""
    return c.one(node.child_by_field_name("left"))


def names_in(target: ir.Node) -> list[str]:
    """Return the variables that a target sets."""
    return [node.name for node in target.walk() if isinstance(node, ir.Name)]


# --- functions ---


def param(c: Converter, node: Syntax) -> ir.Param | None:
    """Convert a parameter of either grammar. None for TypeScript's `this` parameter."""
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
    """Convert the parameters of a function."""
    single = node.child_by_field_name("parameter")
    listed = node.child_by_field_name("parameters")
    parts = c.parts(listed) if listed is not None else []
    made = (param(c, part) for part in ([single] if single is not None else parts))
    return [part for part in made if part is not None]


def function(c: Converter, node: Syntax) -> ir.Func:
    """Convert a function, an arrow function or a method."""
    name_node = node.child_by_field_name("name")
    body = node.child_by_field_name("body")
    made = ir.Func(key_name(c, name_node), params(c, node), function_body(c, body))
    made.is_async = any(child.type == "async" for child in node.children)
    made.returns = type_text(c, node.child_by_field_name("return_type"))
    made.declared = "declaration" in node.type or "method" in node.type
    made.decorators = [*decorators(c, node), *accessor(c, node, made.name)]
    return made


def accessor(c: Converter, node: Syntax, name: str) -> list[ir.Node]:
    """Return the decorator that Python has for `get`, `set` or `static`."""
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
    """Convert a body; an expression is returned."""
    if node is None:
        return []
    if node.type == "statement_block":
        return c.many(node.children)
    return [c.place(ir.Return(c.one(node)), node)]


# --- classes ---


def class_(c: Converter, node: Syntax) -> Made:
    name_node = node.child_by_field_name("name")
    body = node.child_by_field_name("body")
    bases: list[ir.Node] = []
    for child in node.children:
        if child.type in ("class_heritage", "extends_type_clause"):
            bases += base_classes(c, child)
    made = ir.Class(c.slice(name_node), bases, class_body(c, body), decorators(c, node))
    if node.type in ("interface_declaration", "enum_declaration"):
        made.kind = "interface"
    return made


def base_classes(c: Converter, node: Syntax) -> list[ir.Node]:
    """Convert what a class extends and implements."""
    made: list[ir.Node] = []
    for part in c.parts(node):
        if part.type in ("extends_clause", "implements_clause"):
            made += base_classes(c, part)
        elif part.type == "generic_type":
            made.append(c.one(part.child_by_field_name("name")))
        elif part.type != "type_arguments":
            made.append(c.one(part))
    return made


def class_body(c: Converter, node: Syntax | None) -> list[ir.Node]:
    """Convert the members of a class or an interface.

    A method's overloads are left out. TypeScript's decorators of a method stand before it, as members of their own.
    """
    body: list[ir.Node] = []
    waiting: list[ir.Node] = []
    for part in c.parts(node) if node is not None else []:
        if part.type == "decorator":
            waiting.append(c.one(part))
            continue
        if part.type == "method_definition":
            body += method_parts(c, part)
        if part.type != "method_signature" or node is None or node.type != "class_body":
            members = c.many([part])
            if members and isinstance(members[-1], (ir.Func, ir.Field)):
                members[-1].decorators[:0] = waiting
                waiting = []
            body += members
    return body + waiting


def method_parts(c: Converter, node: Syntax) -> list[ir.Node]:
    """Return a method's computed name, and the fields of `constructor(private io: Server)`."""
    listed = node.child_by_field_name("parameters")
    name_node = node.child_by_field_name("name")
    is_computed = name_node is not None and name_node.type == "computed_property_name"
    fields = [c.one(name_node)] if is_computed else []
    for part in c.parts(listed) if listed is not None else []:
        if any(child.type in FIELD_MODIFIERS for child in part.children):
            target = part.child_by_field_name("pattern")
            made = ir.Field(c.slice(target), type_text(c, part.child_by_field_name("type")))
            fields.append(c.place(made, part))
    return fields


def field(c: Converter, node: Syntax) -> ir.Field:
    """Convert a field of a class, an interface or an enum."""
    name_node = node.child_by_field_name("name") or node.child_by_field_name("property")
    value = node.child_by_field_name("value")
    made = ir.Field(key_name(c, name_node), type_text(c, node.child_by_field_name("type")))
    made.value = c.one(value) if value is not None else None
    made.decorators = decorators(c, node)
    # below its decorators, where a reader looks for it
    return c.place_at(made, (name_node or node).start_byte, node.end_byte)


def method_signature(c: Converter, node: Syntax) -> Made:
    """Convert a method of an interface to a `Field`."""
    name_node = node.child_by_field_name("name")
    start = name_node.end_byte if name_node is not None else node.start_byte
    return ir.Field(key_name(c, name_node), " ".join(c.text[start : node.end_byte].removeprefix("?").split()))


def enum(c: Converter, node: Syntax) -> Made:
    body = node.child_by_field_name("body")
    parts = c.parts(body) if body is not None else []
    # a member without a value is a name alone
    fields = [field(c, part) if part.type == "enum_assignment" else ir.Field(key_name(c, part)) for part in parts]
    members: list[ir.Node] = [c.place(made, part) for made, part in zip(fields, parts, strict=True)]
    return ir.Class(c.slice(node.child_by_field_name("name")), [], members, kind="interface")


def type_alias(c: Converter, node: Syntax) -> Made:
    """Convert the alias of an object type; another alias is left out."""
    fields: list[ir.Node] = []
    bases: list[ir.Node] = []
    has_fields = False
    waiting = [node.child_by_field_name("value")]
    while waiting:
        part = waiting.pop()
        if part is None:
            continue
        if part.type == "object_type":
            has_fields = True
            fields += class_body(c, part)
        elif part.type in COMPOSED_TYPES:
            waiting += reversed(part.children)
        elif part.type in NAMED_TYPES:
            bases.append(c.one(part))
    if not has_fields:
        return []
    return ir.Class(c.slice(node.child_by_field_name("name")), bases, fields, kind="interface")


FUNCTIONS: dict[str, Convert] = {
    **dict.fromkeys(("object", "object_pattern"), record),
    **dict.fromkeys(("assignment_pattern", "object_assignment_pattern"), with_default),
    **dict.fromkeys(("function_expression", "function_declaration", "arrow_function"), function),
    **dict.fromkeys(("generator_function", "generator_function_declaration"), function),
    **dict.fromkeys(("method_definition", "abstract_method_signature"), function),
    **dict.fromkeys(("class", "class_declaration", "abstract_class_declaration", "interface_declaration"), class_),
    **dict.fromkeys(("public_field_definition", "field_definition", "property_signature", "enum_assignment"), field),
    "method_signature": method_signature,
    "enum_declaration": enum,
    "type_alias_declaration": type_alias,
    **dict.fromkeys(
        ("function_signature", "index_signature", "call_signature", "construct_signature", "object_type"), nothing
    ),
}
