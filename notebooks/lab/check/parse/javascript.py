"""Parses JavaScript and TypeScript with the parser library tree-sitter."""

import functools
import re
import time

import tree_sitter
import tree_sitter_javascript
import tree_sitter_typescript

from lab.check import ir
from lab.check.parse.javascript_classes import CLASSES
from lab.check.parse.javascript_expressions import EXPRESSIONS
from lab.check.parse.javascript_functions import FUNCTIONS
from lab.check.parse.javascript_modules import MODULES
from lab.check.parse.javascript_nodes import LITERALS, Convert, Converter, block, nothing
from lab.check.parse.javascript_statements import STATEMENTS
from lab.check.parse.unparsable import Unparsable

GRAMMARS = {
    "js": tree_sitter_javascript.language,
    "jsx": tree_sitter_javascript.language,
    "ts": tree_sitter_typescript.language_typescript,
    "tsx": tree_sitter_typescript.language_tsx,
}
TABLE: dict[str, Convert] = {**LITERALS, **EXPRESSIONS, **FUNCTIONS, **CLASSES, **MODULES, **STATEMENTS}
# types are text, which the nodes that have one read themselves
TYPE = re.compile(r".*_types?|type_\w+|.*_annotation|.*_modifier|.*_type_clause|asserts|constraint|optional_chain")
# a file of 1 MB takes two
LONGEST_SECONDS = 10
CHUNK = 65_536
COMMENTS = {"comment", "html_comment"}
# the kind of the nodes in which tree-sitter puts what it cannot parse
ERROR_KIND = 65535
# non-ASCII characters become one byte each, so that offsets in bytes are offsets in characters
SPACE = re.compile("[^\\S\x00-\x7f]|\ufeff")
LETTER = re.compile("[^\x00-\x7f]")


class Grammar:
    """A tree-sitter parser of one language, with its syntax converters.

    `table` maps each type of tree-sitter node, such as `call_expression`, to the function that converts such a node to
    a node of the checker's own syntax tree.
    """

    def __init__(self, name: str) -> None:
        language = tree_sitter.Language(GRAMMARS[name]())
        self.parser = tree_sitter.Parser(language)
        self.comments = tree_sitter.Query(language, "(comment) @comment")
        self.table: dict[int, Convert | None] = {ERROR_KIND: block}
        for kind in range(language.node_kind_count):
            kind_name = language.node_kind_for_id(kind) or ""
            self.table[kind] = _converter(kind_name) if language.node_kind_is_named(kind) else None


def _converter(name: str) -> Convert | None:
    if name in COMMENTS:
        return None
    return TABLE.get(name) or (nothing if TYPE.fullmatch(name) else block)


@functools.cache
def grammar_named(name: str) -> Grammar:
    """Return the `Grammar` (parser) named "js", "jsx", "ts" or "tsx".

    Each grammar is loaded only once.
    """
    return Grammar(name)


def parse(text: str, grammar: str) -> ir.Source:
    """Convert JavaScript or TypeScript text to the checker's own syntax tree.

    `grammar` is "js", "jsx", "ts" or "tsx". Raises `Unparsable` only if the parser takes too long. Text that cannot be
    parsed is left out. Code that is nested in more than 100 levels of the syntax tree is left out, too. In both cases
    the returned `Source` is marked as `broken`. A chain of `+`, `&&`, commas or `else if` is one level.
    """
    rules = grammar_named(grammar)
    tree = _tree(rules.parser, LETTER.sub("x", SPACE.sub(" ", text)).encode("ascii"))
    converter = Converter(text, rules.table)
    source = ir.Source(
        language=grammar[:2],
        body=converter.many(tree.root_node.children),
        comments=_comments(converter, rules, tree),
        lines=[line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else [],
        broken=tree.root_node.has_error or converter.dropped,
    )
    ir.link(source)
    if source.broken:
        _place_missing(source)
    return source


def _tree(parser: tree_sitter.Parser, text: bytes) -> tree_sitter.Tree:
    """Parse a text, or raise `Unparsable` after `LONGEST_SECONDS`."""
    end = time.monotonic() + LONGEST_SECONDS

    def read(offset: int, _: object) -> bytes:
        return text[offset : offset + CHUNK]

    try:
        return parser.parse(read, progress_callback=lambda *_: time.monotonic() > end)
    except ValueError:
        parser.reset()
        raise Unparsable(f"parsing it takes more than {LONGEST_SECONDS} seconds") from None


def _place_missing(source: ir.Source) -> None:
    """Give each node without a position the position of its parent.

    The parser adds such nodes for parts that are missing in the text.
    """
    for statement in source.body:
        for node in statement.walk():
            if not node.line and node.parent is not None:
                node.line, node.column, node.end_line = node.parent.line, node.parent.column, node.parent.end_line


def _comments(converter: Converter, rules: Grammar, tree: tree_sitter.Tree) -> list[tuple[int, str]]:
    """Return the line and the text of each comment, in order."""
    if "//" not in converter.text and "/*" not in converter.text:
        return []
    found = tree_sitter.QueryCursor(rules.comments).captures(tree.root_node).get("comment", [])
    comments = []
    for node in sorted(found, key=lambda comment: comment.start_byte):
        text = converter.slice(node)
        text = text[2:].removesuffix("*/") if text.startswith("/*") else text[2:]
        comments.append((node.start_point.row + 1, text.strip()))
    return comments
