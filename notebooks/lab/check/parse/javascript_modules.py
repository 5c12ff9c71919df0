"""Converts imports, exports and assignments to the checker's own syntax tree.

The languages are JavaScript and TypeScript.
"""

from lab.check import ir
from lab.check.parse.javascript_functions import names_in
from lab.check.parse.javascript_nodes import Convert, Converter, Made, Syntax

# --- imports ---


def _source(c: Converter, node: Syntax) -> str:
    """Return the module name in an import or export, or "".

    For `import a from "x"` it is "x". The result is "" if the statement names no module.
    """
    made = c.one(node.child_by_field_name("source"))
    return made.value if isinstance(made, ir.Const) and isinstance(made.value, str) else ""


def import_statement(c: Converter, node: Syntax) -> Made:
    names: list[tuple[str, str]] = []
    source = _source(c, node)
    for clause in c.parts(node):
        if clause.type == "import_require_clause":
            source = _source(c, clause)
            names += [("default", c.slice(part)) for part in clause.children if part.type == "identifier"]
        elif clause.type == "import_clause":
            names += [pair for part in c.parts(clause) for pair in _imported(c, part)]
    return ir.Import(source, names)


def _imported(c: Converter, node: Syntax) -> list[tuple[str, str]]:
    """Return pairs of imported and local names.

    `node` is a part of an import: a default import, `* as a` or `{a as b}`. The imported name is "default" for a
    default import, and "*" for `* as a`.
    """
    if node.type == "identifier":
        return [("default", c.slice(node))]
    if node.type == "namespace_import":
        return [("*", c.slice(c.parts(node)[-1]))] if c.parts(node) else []
    return _specifiers(c, node)


def _specifiers(c: Converter, node: Syntax) -> list[tuple[str, str]]:
    """Return pairs of the names before and after `as`.

    The names stand in the braces of an import or export: `{a as b}` gives `("a", "b")`, and `{a}` gives `("a", "a")`.
    """
    pairs = []
    for part in node.children:
        if part.type in ("import_specifier", "export_specifier"):
            outer = _quoted(c, part.child_by_field_name("name"))
            pairs.append((outer, _quoted(c, part.child_by_field_name("alias")) or outer))
    return pairs


def _quoted(c: Converter, node: Syntax | None) -> str:
    """Return an imported or exported name without quotes.

    JavaScript allows quotes there, as in `import {"a-b" as c} from "x"`.
    """
    return c.slice(node).strip("'\"")


def import_alias(c: Converter, node: Syntax) -> Made:
    """Convert `import A = B.C` to an assignment (an `Assign` node)."""
    parts = c.parts(node)
    return ir.Assign(c.one(parts[0]), c.one(parts[-1]), declares="const") if parts else []


def required(target: ir.Node, value: ir.Node) -> ir.Import | None:
    """Return an `Import` node if a declaration imports a module, else None.

    The declaration is `target = value`. Examples are `const {a} = require("x")` and `const a = await import("x")`.
    """
    call = value.value if isinstance(value, ir.Await) else value
    if not (isinstance(call, ir.Call) and isinstance(call.func, ir.Name) and len(call.args) == 1):
        return None
    source = call.args[0]
    loads = call.func.name == ("import" if isinstance(value, ir.Await) else "require")
    if not (loads and isinstance(source, ir.Const) and isinstance(source.value, str)):
        return None
    if isinstance(target, ir.Name):
        return ir.Import(source.value, [("default" if call is value else "*", target.name)])
    if not isinstance(target, ir.Record):
        return None
    names = []
    for key, local in target.items:
        if not (isinstance(key, ir.Const) and isinstance(local, ir.Name)):
            return None
        names.append((str(key.value), local.name))
    return ir.Import(source.value, names)


# --- exports ---


def export(c: Converter, node: Syntax) -> Made:
    """Convert an `export` statement to the checker's syntax nodes.

    For `export const a = 1`, the result is the node of the declaration, and then an `Export` node for the name `a`.
    """
    source = node.child_by_field_name("source")
    if source is not None:
        return _exported_from(c, node, _source(c, node))
    kinds = {child.type for child in node.children}
    if "export_clause" in kinds:
        clause = next(child for child in node.children if child.type == "export_clause")
        return [_export(c, node, outer, inner) for inner, outer in _specifiers(c, clause)]
    made = c.many(child for child in node.children if child.type != "decorator")
    decorators = c.many(child for child in node.children if child.type == "decorator")
    for part in made:
        if isinstance(part, ir.Class):
            part.decorators[:0] = decorators
    if kinds & {"default", "="}:
        return _exported_default(c, node, made)
    names = [name for part in made for name in _declared(part)]
    return [*made, *(_export(c, node, name, name) for name in names)]


def _export(c: Converter, node: Syntax, outer: str, inner: str) -> ir.Node:
    return c.place(ir.Export(outer, c.place(ir.Name(inner), node)), node)


def _declared(node: ir.Node) -> list[str]:
    """Return the names that a statement declares."""
    if isinstance(node, ir.Assign):
        return names_in(node.target)
    if isinstance(node, ir.Import):
        return [local for _, local in node.names]
    return [node.name] if isinstance(node, (ir.Func, ir.Class)) else []


def _exported_default(c: Converter, node: Syntax, made: list[ir.Node]) -> Made:
    if not made:
        return []
    *before, value = made
    if isinstance(value, (ir.Func, ir.Class)) and value.name:
        if isinstance(value, ir.Func):
            value.declared = True
        return [*made, _export(c, node, "default", value.name)]
    return [*before, c.place(ir.Export("default", value), node)]


def _exported_from(c: Converter, node: Syntax, source: str) -> Made:
    """Convert `export … from` to an `Import` and `Export` nodes.

    Each imported name is exported. `export * from "x"` becomes only an `Export` with the name "*".
    """
    for child in node.children:
        if child.type == "export_clause":
            pairs = _specifiers(c, child)
            imported = c.place(ir.Import(source, pairs), node)
            return [imported, *(_export(c, node, outer, outer) for _, outer in pairs)]
        if child.type == "namespace_export":
            outer = _quoted(c, c.parts(child)[-1]) if c.parts(child) else ""
            return [c.place(ir.Import(source, [("*", outer)]), node), _export(c, node, outer, outer)]
    return ir.Export("*", c.place(ir.Const(source), node))


# --- CommonJS ---


def _exported_name(target: ir.Node) -> str:
    """Return the name that an assignment exports, or "".

    `target` is the left side of the assignment: `module.exports` gives "default", and `exports.a` gives "a".
    """
    if not isinstance(target, ir.Member):
        return ""
    if _is_module_exports(target):
        return "default"
    is_exports = isinstance(target.obj, ir.Name) and target.obj.name == "exports"
    return target.name if is_exports or _is_module_exports(target.obj) else ""


def _is_module_exports(node: ir.Node) -> bool:
    if not (isinstance(node, ir.Member) and node.name == "exports"):
        return False
    return isinstance(node.obj, ir.Name) and node.obj.name == "module"


def assignment(c: Converter, node: Syntax) -> Made:
    """Convert `target = value` to the checker's syntax nodes.

    An assignment to `module.exports`, `module.exports.a` or `exports.a` gives `Export` nodes.
    """
    children = node.children
    target, value = c.one(children[0]), c.one(children[-1])
    if isinstance(target, ir.Name) and target.name == "exports":
        if isinstance(value, (ir.Export, ir.Block)):
            return value
    elif name := _exported_name(target):
        if isinstance(value, ir.Assign) and isinstance(value.target, ir.Name) and value.target.name == "exports":
            value = value.value
        exported = c.place(ir.Export(name, value), node)
        return [*_record_exports(c, value), exported] if name == "default" else exported
    return ir.Assign(target, value)


def _record_exports(c: Converter, value: ir.Node) -> list[ir.Node]:
    """Return an `Export` node for each key of an exported object literal.

    For `module.exports = {a: f()}`, the call `f()` moves to the export `a`, and `module.exports.a` replaces the call in
    the literal. So no call stands twice in the tree. For `{a: b}`, where `b` is a variable, the literal keeps the name
    `b`. If `value` is no object literal, the list is empty.
    """
    made: list[ir.Node] = []
    if not isinstance(value, ir.Record):
        return made
    for place, (key, item) in enumerate(value.items):
        if not (isinstance(key, ir.Const) and isinstance(key.value, str)):
            continue
        made.append(same_place(ir.Export(key.value, item), item))
        if isinstance(item, ir.Name):
            again: ir.Node = ir.Name(item.name)
        else:
            exports = same_place(ir.Member(same_place(ir.Name("module"), item), "exports"), item)
            again = ir.Member(exports, key.value)
        value.items[place] = (key, same_place(again, item))
    return made


def same_place(made: ir.Node, other: ir.Node) -> ir.Node:
    """Give the syntax node `made` the source position of `other`.

    The position is the first line, the last line and the column. Returns `made`.
    """
    made.line, made.column, made.end_line = other.line, other.column, other.end_line
    return made


MODULES: dict[str, Convert] = {
    "import_statement": import_statement,
    "import_alias": import_alias,
    "export_statement": export,
    "assignment_expression": assignment,
}
