"""Converts Python's `+`, `%` and `str.format` to string nodes.

A string node is a string in the checker's own syntax tree. The nodes of the inserted values are parts of it.
"""

import copy
import re
import string
from collections.abc import Iterable, Iterator

from lab.check.ir import Block, Const, Index, Member, Name, Node, Op, Record, Sequence, Spread, Text, This

PERCENT = re.compile(r"%(?:\((?P<key>[^)]*)\))?[#0\- +]*(?:\*|\d+)?(?:\.(?:\*|\d+))?[hlL]?(?P<kind>[a-zA-Z%])")
# a literal part, and the key of the value after it; None if there is none
Part = tuple[str, str | int | None]


def again(node: Node, depth: int = 4) -> Node:
    """Copy a node for a second place in the syntax tree.

    Names, literals, and expressions such as `a.b` and `a[0]` are copied, down to `depth` levels. Any other node becomes
    a `Block` without content, so that no call appears twice in the tree.
    """
    new: Node | None = None
    if isinstance(node, (Name, This, Const)):
        return copy.copy(node)
    if isinstance(node, Member) and depth:
        new = Member(again(node.obj, depth - 1), node.name)
    elif isinstance(node, Index) and depth:
        new = Index(again(node.obj, depth - 1), again(node.key, depth - 1))
    return _at(new or Block([]), node)


def _at(new: Node, node: Node) -> Node:
    new.line, new.column, new.end_line = node.line, node.column, node.end_line
    return new


def is_text(node: Node) -> bool:
    """Tell whether a node is a string literal or a `Text`.

    A `Text` is a string with variable parts, such as an f-string.
    """
    return isinstance(node, Text) or (isinstance(node, Const) and isinstance(node.value, str))


def joined(left: Node, right: Node) -> Node:
    """Return one string node for the expression `left + right`.

    At least one of the two operands has to be a string. Two literals become one literal.
    """
    if isinstance(left, Const) and isinstance(right, Const):
        return Const(f"{left.value}{right.value}")
    # a long chain must not copy its parts at each step
    parts = left.parts if isinstance(left, Text) else _operands(left)
    for part in right.parts if isinstance(right, Text) else [right]:
        if isinstance(part, Const) and parts and isinstance(last := parts[-1], Const):
            part = _at(Const(f"{last.value}{part.value}"), parts.pop())
        parts.append(part)
    return Text(parts)


def _operands(node: Node) -> list[Node]:
    """Return the operands of a chain of `+`, from left to right.

    For `a + b + c` they are `a`, `b` and `c`.
    """
    operands = []
    while isinstance(node, Op) and node.op == "+" and len(node.operands) == 2:
        node, last = node.operands
        operands.append(last)
    return [node, *reversed(operands)]


def percent(template: Node, value: Node) -> Node:
    """Return one string node for the expression `template % value`.

    If `template` is a literal, the nodes of the values take the places of its placeholders, such as `%s`.
    """
    if not isinstance(template, Const):
        return joined(template, value)
    values: dict[str | int, Node] = {}
    rest: list[Node] = []
    if isinstance(value, Sequence):
        values.update(enumerate(value.items))
    elif isinstance(value, Record):
        values.update((str(key.value), part) for key, part in value.items if isinstance(key, Const))
        rest = [part for key, part in value.items if not isinstance(key, Const)]
    else:
        rest = [value]
    return _filled(template, _percent_parts(str(template.value)), values, rest)


def _percent_parts(template: str) -> Iterator[Part]:
    literal, end, number = "", 0, 0
    for match in PERCENT.finditer(template):
        literal += template[end : match.start()]
        end = match.end()
        if match["kind"] == "%":
            literal += "%"
            continue
        yield literal, number if match["key"] is None else match["key"]
        literal, number = "", number + 1
    yield literal + template[end:], None


def formatted(template: Node, args: list[Node], keywords: list[tuple[str | None, Node]]) -> Node | None:
    """Return one string node for the call `template.format(…)`.

    `args` and `keywords` are the arguments of the call. `keywords` has the name and value of each keyword argument; the
    name is None for `**options`. The result is None if the template is not valid.
    """
    if not isinstance(template, Const):
        return Text([template, *args, *(value for _, value in keywords)])
    try:
        parts = list(_format_parts(str(template.value)))
    except ValueError:
        return None
    values: dict[str | int, Node] = dict(enumerate(arg for arg in args if not isinstance(arg, Spread)))
    values.update((name, value) for name, value in keywords if name)
    spreads = [arg for arg in args if isinstance(arg, Spread)]
    return _filled(template, parts, values, [*spreads, *(value for name, value in keywords if not name)])


def _format_parts(template: str) -> Iterator[Part]:
    number = 0
    for literal, field, _, _ in string.Formatter().parse(template):
        name = re.split(r"[.\[]", field or "", maxsplit=1)[0]
        if field is not None and not name:
            name, number = str(number), number + 1
        yield literal, None if field is None else int(name) if name.isdecimal() else name


def _filled(template: Const, parts: Iterable[Part], values: dict[str | int, Node], rest: list[Node]) -> Node:
    """Return one string node for a template and its inserted values.

    A template has placeholders such as `%s` or `{name}`. `parts` are pairs of a fixed text and the key (a number or a
    name) of the placeholder after it; the key is None if no placeholder follows. `values` maps keys to inserted values.
    `rest` has values without a key, such as `**options`, for the placeholders whose key is not in `values`.
    """
    found: list[Node] = []
    unused = dict(values)
    for literal, key in parts:
        if literal:
            found.append(_at(Const(literal), template))
        if key in unused:
            found.append(unused.pop(key))
        elif key in values:
            found.append(again(values[key]))
        elif key is not None:
            found.append(rest.pop(0) if rest else _at(Block([]), template))
    if not found or (len(found) == 1 and isinstance(found[0], Const) and not unused and not rest):
        return Const(found[0].value if found and isinstance(found[0], Const) else "")
    # values without a place stay in the tree: they may have calls
    return Text([*found, *unused.values(), *rest])
