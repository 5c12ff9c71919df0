"""Defines `Converter`, and converts the names and literals of JavaScript and TypeScript.

`Converter` makes nodes of the checker's own syntax tree from nodes of the parser library tree-sitter.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import TypeVar

import tree_sitter

from lab.check import ir

Syntax = tree_sitter.Node
Made = ir.Node | list[ir.Node]
Convert = Callable[["Converter", Syntax], Made]
Placed = TypeVar("Placed", bound=ir.Node)

# each level takes up to six frames of Python's stack, which has 1,000 by default; ordinary code has up to 35 levels
MOST_LEVELS = 100
LINE_END = re.compile("\n")
ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\r\n|.))", re.DOTALL)
ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": "", "\r\n": ""}
SURROGATE = re.compile("[\ud800-\udfff]")


class Converter:
    """Converts one file's tree-sitter nodes to the checker's own nodes (`ir`).

    `table` maps the number of a tree-sitter node type to the function that converts such nodes, or to None for comments
    and tokens such as `(`. `text` is the source. The parser gets a copy in which each character is one byte, so the
    byte offsets of a node are also offsets in `text`.
    """

    def __init__(self, text: str, table: dict[int, Convert | None]) -> None:
        self.text = text
        self.table = table
        self.line_starts = [0, *(found.end() for found in LINE_END.finditer(text))]
        self.level = 0
        # True when parts that are nested too deeply were dropped
        self.dropped = False

    def one(self, node: Syntax | None) -> ir.Node:
        """Convert a tree-sitter node to one node of the checker's tree.

        The result is a `Block` node if `node` is None, or if the conversion does not give exactly one node.
        """
        convert = self.table[node.kind_id] if node is not None else None
        if node is None or convert is None:
            return ir.Block([])
        if self.level >= MOST_LEVELS:
            self.dropped = True
            return self.place(ir.Block([]), node)
        self.level += 1
        made = convert(self, node)
        self.level -= 1
        if isinstance(made, list):
            made = made[0] if len(made) == 1 else ir.Block(made)
        return made if made.line else self.place(made, node)

    def many(self, nodes: Iterable[Syntax]) -> list[ir.Node]:
        """Convert tree-sitter nodes to the checker's nodes, without punctuation, keywords and comments."""
        result: list[ir.Node] = []
        if self.level >= MOST_LEVELS:
            self.dropped = True
            return result
        self.level += 1
        table = self.table
        for node in nodes:
            convert = table[node.kind_id]
            if convert is not None:
                made = convert(self, node)
                if isinstance(made, list):
                    result += [part if part.line else self.place(part, node) for part in made]
                else:
                    result.append(made if made.line else self.place(made, node))
        self.level -= 1
        return result

    def place(self, made: Placed, node: Syntax) -> Placed:
        """Give the checker's node `made` the position of `node`; return `made`."""
        return self.place_at(made, node.start_byte, node.end_byte)

    def place_at(self, made: Placed, start: int, end: int) -> Placed:
        """Give `made` the position between two source offsets; return `made`."""
        starts = self.line_starts
        line = bisect_right(starts, start)
        made.line = line
        made.column = start - starts[line - 1] + 1
        made.end_line = line if line == len(starts) or end <= starts[line] else bisect_right(starts, end - 1)
        return made

    def parts(self, node: Syntax) -> list[Syntax]:
        """Return the children of a node, without punctuation, keywords and comments."""
        table = self.table
        return [child for child in node.children if table[child.kind_id] is not None]

    def slice(self, node: Syntax | None) -> str:
        """Return the source text of a node, and "" for None."""
        return self.text[node.start_byte : node.end_byte] if node is not None else ""


# --- parts that have no node of their own ---


def nothing(_: Converter, __: Syntax) -> Made:
    return []


def block(c: Converter, node: Syntax) -> Made:
    """Convert the children of a node to one `Block` node."""
    return ir.Block(c.many(node.children))


def first(c: Converter, node: Syntax) -> Made:
    """Convert the first child that is no punctuation, keyword or comment.

    An example is `x` in `(x)`, `x as T` and `x!`.
    """
    parts = c.parts(node)
    return c.one(parts[0]) if parts else []


def last(c: Converter, node: Syntax) -> Made:
    """Convert the last child of a node, such as `x` in `<T>x`."""
    parts = c.parts(node)
    return c.one(parts[-1]) if parts else []


# --- names and literals ---


def name(c: Converter, node: Syntax) -> Made:
    return ir.Name(c.text[node.start_byte : node.end_byte])


def this(_: Converter, __: Syntax) -> Made:
    return ir.This()


def null(_: Converter, __: Syntax) -> Made:
    return ir.Const(None)


def true(_: Converter, __: Syntax) -> Made:
    return ir.Const(True)


def false(_: Converter, __: Syntax) -> Made:
    return ir.Const(False)


def number(c: Converter, node: Syntax) -> Made:
    text = c.slice(node).replace("_", "").removesuffix("n")
    for read in (lambda: int(text, 0), lambda: float(text)):
        try:
            return ir.Const(read())
        except ValueError:
            continue
    return ir.Const(0)


def _escaped(found: re.Match[str]) -> str:
    digits = found[1] or found[2] or found[3]
    if digits:
        code = int(digits, 16)
        return chr(code) if code <= 0x10FFFF else ""
    return ESCAPED.get(found[4], found[4])


def unescape(text: str) -> str:
    """Return a string's text with its escape sequences replaced."""
    if "\\" in text:
        text = ESCAPE.sub(_escaped, text)
        if SURROGATE.search(text):
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def string(c: Converter, node: Syntax) -> Made:
    return ir.Const(unescape(c.text[node.start_byte + 1 : node.end_byte - 1]))


def template(c: Converter, node: Syntax) -> Made:
    parts: list[ir.Node] = []
    start = node.start_byte + 1
    for child in node.children:
        if child.type == "template_substitution":
            parts += [*fixed_text(c, start, child.start_byte), c.one(child)]
            start = child.end_byte
    parts += fixed_text(c, start, node.end_byte - 1)
    return joined(parts) if parts else ir.Const("")


def fixed_text(c: Converter, start: int, end: int) -> list[ir.Node]:
    """Return the source text between two offsets as a string node.

    The node is the only element of the result. The result is empty if there is no text between the offsets.
    """
    return [c.place_at(ir.Const(unescape(c.text[start:end])), start, end)] if start < end else []


def regex(c: Converter, node: Syntax) -> Made:
    """Convert the literal `/x/` to the call `new RegExp("/x/")`.

    The checker then does not mistake the regular expression for a string.
    """
    pattern = c.place(ir.Const(c.slice(node)), node)
    return ir.Call(c.place(ir.Name("RegExp"), node), [pattern], new=True)


def array(c: Converter, node: Syntax) -> Made:
    return ir.Sequence(c.many(node.children))


def spread(c: Converter, node: Syntax) -> ir.Spread:
    return ir.Spread(c.one(node.children[-1] if node.children else None))


def is_text(node: ir.Node) -> bool:
    """Tell whether an expression is certainly a string."""
    return isinstance(node, ir.Text) or (isinstance(node, ir.Const) and isinstance(node.value, str))


def joined(parts: list[ir.Node]) -> ir.Node:
    """Join the syntax nodes of a string's parts to one node.

    In `x${a}y` the parts are `x`, `a` and `y`. A nested string is replaced by its own parts, and
    neighbouring fixed texts become one.
    """
    flat: list[ir.Node] = []
    for outer in parts:
        for part in outer.parts if isinstance(outer, ir.Text) else [outer]:
            before = flat[-1] if flat else None
            if isinstance(before, ir.Const) and isinstance(part, ir.Const) and is_text(before) and is_text(part):
                before.value = f"{before.value}{part.value}"
                before.end_line = part.end_line
            else:
                flat.append(part)
    return flat[0] if len(flat) == 1 and is_text(flat[0]) else ir.Text(flat)


LITERALS: dict[str, Convert] = {
    **dict.fromkeys(("identifier", "type_identifier", "property_identifier", "statement_identifier"), name),
    **dict.fromkeys(("private_property_identifier", "shorthand_property_identifier"), name),
    **dict.fromkeys(("shorthand_property_identifier_pattern", "super", "import"), name),
    "this": this,
    **dict.fromkeys(("null", "undefined"), null),
    "true": true,
    "false": false,
    "number": number,
    "string": string,
    "template_string": template,
    "template_substitution": first,
    "regex": regex,
    "array": array,
    **dict.fromkeys(("spread_element", "rest_pattern"), spread),
}
