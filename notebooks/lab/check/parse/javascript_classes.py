"""Converts JavaScript and TypeScript classes to the checker's own syntax tree.

It also converts interfaces, enums and type aliases. The checker's syntax tree (`ir`) is the same for all languages.
"""

from lab.check import ir
from lab.check.parse.javascript_functions import decorators, key_name, type_text
from lab.check.parse.javascript_nodes import Convert, Converter, Made, Syntax

# these make a parameter of a constructor a field, too
FIELD_MODIFIERS = {"accessibility_modifier", "readonly", "override_modifier"}
# types that hold the fields of an alias
COMPOSED_TYPES = {"intersection_type", "union_type", "parenthesized_type"}
NAMED_TYPES = {"type_identifier", "nested_type_identifier"}


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
    """Convert a class's bases and interfaces to the checker's syntax nodes."""
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
    """Convert the members of a class to the checker's syntax nodes.

    `node` is the body of a class, an interface or an object type. Overloads of a class's method are left out. The
    parser puts a decorator of a method before the method, as a separate member. The result has this decorator in the
    method.
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
    """Return the class members that a method's name and parameters add.

    They are nodes of the checker's syntax tree. A computed name such as `[key]` adds the expression `key`. The
    parameter in `constructor(private io: Server)` adds the field `io`.
    """
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
    """Convert a class, interface or enum field to a `Field` node."""
    name_node = node.child_by_field_name("name") or node.child_by_field_name("property")
    value = node.child_by_field_name("value")
    made = ir.Field(key_name(c, name_node), type_text(c, node.child_by_field_name("type")))
    made.value = c.one(value) if value is not None else None
    made.decorators = decorators(c, node)
    # below its decorators, where a reader looks for it
    return c.place_at(made, (name_node or node).start_byte, node.end_byte)


def method_signature(c: Converter, node: Syntax) -> Made:
    """Convert a method of an interface to a `Field` node.

    The parameters and the result type become the text of the field's type.
    """
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
    """Convert the alias of an object type to a `Class` node.

    An example is `type Chat = { room: string }`. The node has the kind "interface". An alias without an object type is
    left out.
    """
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


CLASSES: dict[str, Convert] = {
    **dict.fromkeys(("class", "class_declaration", "abstract_class_declaration", "interface_declaration"), class_),
    **dict.fromkeys(("public_field_definition", "field_definition", "property_signature", "enum_assignment"), field),
    "method_signature": method_signature,
    "enum_declaration": enum,
    "type_alias_declaration": type_alias,
}
