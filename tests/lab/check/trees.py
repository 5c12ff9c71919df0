"""Writes trees of `lab.check.ir` as short texts, which tests compare."""

from lab.check import ir


def short(node):
    """Return a node as text.

    Names, literals, members and calls look like code; other nodes have their class and their fields that are set.
    """
    match node:
        case ir.Name(name=name):
            return name
        case ir.This():
            return "this"
        case ir.Const(value=value):
            return repr(value)
        case ir.Member(obj=obj, name=name):
            return f"{short(obj)}.{name}"
        case ir.Call(func=func, args=args, keywords=keywords):
            return f"{short(func)}({', '.join([*map(short, args), *map(_pair, keywords)])})"
        case ir.Node():
            values = [_field(getattr(node, name)) for name in node.__slots__]
            return f"{type(node).__name__}({', '.join(value for value in values if value)})"
    return repr(node)


def _pair(pair):
    key, value = (short(part) if isinstance(part, ir.Node) else part for part in pair)
    return f"{key}={value}" if key else f"**{value}"


def _field(value):
    if isinstance(value, list):
        return "[" + ", ".join(_pair(part) if isinstance(part, tuple) else short(part) for part in value) + "]"
    if isinstance(value, ir.Node):
        return short(value)
    return {True: "yes", False: "", None: "", "": ""}.get(value, value)


def places(source):
    """Yield each node of a source with its line and column."""
    for top in source.body:
        for node in top.walk():
            yield node, node.line, node.column
