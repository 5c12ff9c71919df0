"""Tests of the tree that Python files become."""

import ast
import io
import sys
import time
import tokenize
import warnings
from contextlib import suppress
from pathlib import Path

import lab
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lab.check import ir
from lab.check.parse import python
from lab.check.parse.python import parse
from lab.check.parse.python_source import comments
from lab.check.parse.unparsable import Unparsable

from .trees import places, short

OWN_FILES = sorted(Path(lab.__file__).parent.rglob("*.py"))


def tree_of(text):
    return "; ".join(map(short, parse(text).body))


EXPRESSIONS = [
    ('f"a{x}b"', "Text(['a', x, 'b'])"),
    ('f"ab"', "'ab'"),
    ('f"{x!r:>10}"', "Text([x])"),
    ('f"{p:{w}}"', "Text([Block([p, w])])"),
    ('"a" + x', "Text(['a', x])"),
    ('x + y + "a"', "Text([x, y, 'a'])"),
    ('"a" + x + "b" "c" + "d"', "Text(['a', x, 'bcd'])"),
    ("x + 1", "Op(+, [x, 1])"),
    ('"a%sb%d%%" % (x, y)', "Text(['a', x, 'b', y, '%'])"),
    ('"%(r)s-%(r)s" % {"r": x}', "Text([x, '-', x])"),
    ('"%s" % x', "Text([x])"),
    ('"%s-%s" % pair', "Text([pair, '-', Block([])])"),
    ("b % c", "Op(%, [b, c])"),
    ('"{}:{}".format(a, b)', "Text([a, ':', b])"),
    ('"{1}{0}".format(a, b)', "Text([b, a])"),
    ('"{r}{r}{}".format(a, r=b)', "Text([b, b, a])"),
    ('"{r.id}".format(**o)', "Text([o])"),
    ('"{}".format(a, f())', "Text([a, f()])"),
    ('"{".format(a)', "'{'.format(a)"),
    ("t.format(a)", "t.format(a)"),
    ('{"a": 1, **b, c: 2}', "Record(['a'=1, **b, c=2])"),
    ("[1, *x], (2,), {3}", "Sequence([Sequence([1, Spread(x)]), Sequence([2]), Sequence([3])])"),
    ("a if t else b", "Op(?:, [t, a, b])"),
    ("(n := f())", "Assign(n, f(), =)"),
    ("not a and b or c", "Op(||, [Op(&&, [Op(!, [a]), b]), c])"),
    ("a is None", "Op(==, [a, None])"),
    ("a is not b", "Op(!=, [a, b])"),
    ("a in b", "Op(in, [a, b])"),
    ("a not in b", "Op(not in, [a, b])"),
    ("-a ** ~b", "Op(-, [Op(**, [a, Op(~, [b])])])"),
    ("a < b <= c.d", "Op(&&, [Op(<, [a, b]), Op(<=, [b, c.d])])"),
    ("a < f() < b", "Op(&&, [Op(<, [a, f()]), Op(<, [Block([]), b])])"),
    ("a[1]", "Index(a, 1)"),
    ("a[1:b]", "Index(a, Block([1, b]))"),
    ("lambda x, *y, z=1: x", "Func([Param(x, []), Param(y, [], yes), Param(z, 1, [])], [Return(x)], [])"),
    ("[e for i in x if t]", "Block([Loop(of, i, x, [If(t, [e], [])])], comprehension)"),
    ("(e for i in x for j in y)", "Block([Loop(of, i, x, [Loop(of, j, y, [e])])], comprehension)"),
    ("{k: v for k, v in x}", "Block([Loop(of, Sequence([k, v]), x, [Record([k=v])])], comprehension)"),
    ("f(a, *b, c=1, **d)", "f(a, Spread(b), c=1, **d)"),
]
STATEMENTS = [
    ("import a", "Import(a, [*=a])"),
    ("import a.b, c.d as e", "Block([Import(a, [*=a]), Import(c.d, [*=e])])"),
    ("from . import x", "Import(., [x=x])"),
    ("from ..a.b import c as d, e", "Import(..a.b, [c=d, e=e])"),
    ("from a import *", "Import(a, [*=*])"),
    ("a = b = c", "Assign(a, Assign(b, c, =), =)"),
    ('a: "X" = 1', "Assign(a, 1, =, X)"),
    ("a: dict[\n    str, X\n]", "Assign(a, None, =, dict[ str, X ])"),
    ("a |= 1", "Assign(a, 1, |=)"),
    ("a, *b = c", "Assign(Sequence([a, Spread(b)]), c, =)"),
    ("del a", "Delete(a)"),
    ("del a, b[0]", "Block([Delete(a), Delete(Index(b, 0))])"),
    ("raise E(1) from e", "Throw(E(1))"),
    ("raise", "Throw()"),
    ("assert a, b", "If(Op(!, [a]), [Throw(b)], [])"),
    ("def f():\n    global a, b", "Func(f, [], [Block([a, b], global)], [], yes)"),
    ("for a in b:\n    break\nelse:\n    c", "Block([Loop(of, a, b, [Block([], break)]), c])"),
    ("while a:\n    continue", "Loop(while, a, [Block([], continue)])"),
    ("if a: b\nelif c: d\nelse: e", "If(a, [b], [If(c, [d], [e])])"),
    (
        "try: a\nexcept E as e: b\nexcept F: c\nelse: d\nfinally: pass",
        "Try([a, d], [Assign(e, E, =), b, c], [Block([])])",
    ),
    ("try: a\nexcept* E: b", "Try([a], [b], [])"),
    ("with a as b, c: d", "Block([Assign(b, a, =), c, d])"),
    (
        "async def f():\n    async with a as b: await c",
        "Func(f, [], [Block([Assign(b, Await(a), =), Await(c)])], yes, [], yes)",
    ),
    ("def f():\n    yield", "Func(f, [], [Await(None)], [], yes)"),
    (
        "def f(a, /, b: int = 1, *c: str, d, e=2, **g) -> 'Out': return",
        "Func(f, [Param(a, []), Param(b, int, 1, []), Param(c, str, [], yes), Param(d, []), Param(e, 2, []), "
        "Param(g, [], yes)], [Return()], [], Out, yes)",
    ),
    ("@sio.on('a', namespace='/b')\ndef f(): ...", "Func(f, [], [Ellipsis], [sio.on('a', namespace='/b')], yes)"),
    (
        "class A(B, metaclass=M):\n    a = 1\n    b: int\n    c, d = e\n    if x:\n        g = 3",
        "Class(A, [B], [Field(a, 1, []), Field(b, int, []), Assign(Sequence([c, d]), e, =), "
        "If(x, [Field(g, 3, [])], [])], [], class)",
    ),
    (
        'match a["b"]:\n    case 1 | None if t: c\n    case [E.x, *d]: e\n    case _: g',
        "If(Op(&&, [Op(==, [Index(a, 'b'), Op(||, [1, None])]), t]), [c], "
        "[If(Assign(Sequence([E.x, Spread(d)]), Index(a, 'b'), =), [e], [g])])",
    ),
    (
        'match a:\n    case {"b": c, **d}: e\n    case P(1, y=2): g',
        "If(Assign(Record(['b'=c, **d]), a, =), [e], [If(Op(==, [a, P(1, y=2)]), [g], [])])",
    ),
]


@pytest.mark.parametrize(("text", "expected"), EXPRESSIONS + STATEMENTS)
def test_a_piece_of_code_becomes_its_tree(text, expected):
    assert tree_of(text) == expected


@pytest.mark.skipif(sys.version_info < (3, 12), reason="these are newer than Python 3.11")
def test_newer_statements_become_known_nodes():
    assert tree_of("type A[T] = list[T]") == "Assign(A, Index(list, T), =)"
    assert tree_of("def f[T](a: T): return a") == "Func(f, [Param(a, T, [])], [Return(a)], [], yes)"


METHODS = [
    ("def m(self, a): self.b", "Func(m, [Param(a, [])], [this.b], [], yes)"),
    ("def m(me, /): me.b", "Func(m, [], [this.b], [], yes)"),
    ("@classmethod\n    def m(cls): cls()", "Func(m, [], [this()], [classmethod], yes)"),
    ("@staticmethod\n    def m(self): self", "Func(m, [Param(self, [])], [self], [staticmethod], yes)"),
    ("def m(*args): args", "Func(m, [Param(args, [], yes)], [args], [], yes)"),
    ("def m(self): return lambda: self", "Func(m, [], [Return(Func([], [Return(this)], []))], [], yes)"),
    (
        "def m(self): return lambda self: self",
        "Func(m, [], [Return(Func([Param(self, [])], [Return(self)], []))], [], yes)",
    ),
    (
        "def m(self):\n        def n(): self = self.b",
        "Func(m, [], [Func(n, [], [Assign(self, self.b, =)], [], yes)], [], yes)",
    ),
    ("@self\n    def m(self): pass", "Func(m, [], [Block([])], [self], yes)"),
]


@pytest.mark.parametrize(("method", "expected"), METHODS)
def test_the_first_parameter_of_a_method_is_this(method, expected):
    assert tree_of(f"class A:\n    {method}") == f"Class(A, [], [{expected}], [], class)"


def test_self_of_an_outer_method_is_no_this_in_an_inner_class():
    text = "class A:\n  def m(self):\n    class B:\n      def n(me): return me, self\n    return self"
    assert "[Return(Sequence([this, self]))]" in tree_of(text)
    assert "Return(this)" in tree_of(text)


def test_self_in_a_function_outside_a_class_is_a_name():
    assert tree_of("def f(self): self") == "Func(f, [Param(self, [])], [self], [], yes)"


def test_a_chained_call_is_where_its_own_name_is():
    text = "(sio\n    .to(room)\n    .emit('a',\n        b))"
    emit, to = [node for node, *_ in places(parse(text)) if isinstance(node, ir.Call)]
    assert (emit.line, emit.column, emit.end_line) == (3, 6, 4)
    assert (to.line, to.column, to.end_line) == (2, 6, 2)


def test_a_plain_call_is_where_its_callee_begins():
    (call,) = parse("  \nsio.emit('a',\n  b)").body
    assert (call.line, call.column, call.end_line) == (2, 1, 3)


def test_columns_count_characters():
    source = parse("x = 'é😀', y\n'äö'; z")
    found = {node.name: (line, column) for node, line, column in places(source) if isinstance(node, ir.Name)}
    assert found == {"x": (1, 1), "y": (1, 11), "z": (2, 7)}


def test_lines_end_at_every_kind_of_line_end():
    source = parse("\ufeffa\r\nb\rc\n\x0cd = '\u2028'\n")
    assert source.lines == ["a", "b", "c", "\x0cd = '\u2028'"]
    assert [node.line for node in source.body] == [1, 2, 3, 4]


@pytest.mark.parametrize("path", OWN_FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_file_of_the_lab_becomes_a_whole_tree(path):
    source = parse(path.read_text("utf-8"))
    seen = set()
    for top in source.body:
        assert top.parent is None
        for node in top.walk():
            assert id(node) not in seen, "a node has two parents"
            seen.add(id(node))
            assert 1 <= node.line <= node.end_line <= len(source.lines)
            assert 1 <= node.column <= len(source.lines[node.line - 1]) + 1
            assert all(child.parent is node for child in node.children())


def test_every_class_of_ast_has_a_converter():
    kinds = [kind for base in (ast.stmt, ast.expr, ast.pattern) for kind in base.__subclasses__()]
    # before Python 3.12 there are old names, too, that the parser does not give
    old = {"Num", "Str", "Bytes", "NameConstant", "Ellipsis"}
    # these have no node of their own: they become a block
    assert {kind.__name__ for kind in kinds if kind not in python.TABLE} - old == {"Pass", "Slice"}


COMMENTS = [
    ("# a\nb  # c\n", [(1, "a"), (2, "c")]),
    ("'# a' # b", [(1, "b")]),
    ("'''\n# a\n''' # b", [(3, "b")]),
    ('"""a\\""" # b\n""" # c', [(2, "c")]),
    ("r'\\' # a'", []),
    ("('a' # b\n 'c')", [(1, "b")]),
    ("'a\\\n# b' # c", [(2, "c")]),
    ("#! x\n##  y", [(1, "! x"), (2, "y")]),
    ("f'{a[\"#\"]}' # b", [(1, "b")]),
    ("f'{{' # b", [(1, "b")]),
    ("x = 1 # a\\\ny", [(1, "a\\")]),
]


@pytest.mark.parametrize(("text", "expected"), COMMENTS)
def test_comments_are_told_from_strings(text, expected):
    assert parse(text).comments == expected


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the quotes of an f-string nest since Python 3.12")
def test_nested_quotes_hide_no_comment():
    assert parse('f"{a["#"]}" # b').comments == [(1, "b")]


def test_comments_of_own_files_are_those_of_tokenize():
    for path in OWN_FILES:
        text = path.read_text("utf-8")
        assert comments(text) == tokenized_comments(text), path


def tokenized_comments(text):
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [(token.start[0], token.string.lstrip("#").strip()) for token in tokens if token.type == tokenize.COMMENT]


INVALID = [
    ("a\nb c", "line 2: invalid syntax", 2),
    ("print 'a'", "line 1: Missing parentheses in call to 'print'. Did you mean print(...)?", 1),
    ("def f():\n\tif a:\n        b", "inconsistent use of tabs", 3),
    ("'a", "unterminated string", 1),
    ("a\0b", "null bytes", None),
    ("'\ud800'", "surrogates", None),
    ("(" * 1_000 + ")" * 1_000, "too many nested parentheses", 1),
    ("9" * 5_000, "Exceeds the limit", 1),
]


@pytest.mark.parametrize(("text", "reason", "line"), INVALID, ids=[reason for _, reason, _ in INVALID])
def test_invalid_code_is_unparsable_with_its_line(text, reason, line):
    with pytest.raises(Unparsable) as caught:
        parse(text)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.line == line


def test_invalid_escapes_in_strings_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tree_of(r"'\d'") == r"'\\d'"


DEEP = {
    "a chain of calls": ("a" + ".b()" * 800, 800),
    "a chain of plus": ("+".join(["a"] * 800), 799),
    "a chain of texts": ("+".join(["a", "'b'"] * 400), 0),
    "elif": ("if a: b\n" + "elif a: b\n" * 150, 0),
    "lists": ("[" * 90 + "]" * 90, 0),
    "minus": ("-" * 800 + "a", 800),
}


@pytest.mark.parametrize("name", DEEP)
def test_deeply_nested_code_is_converted(name):
    source = parse(DEEP[name][0])
    found = [node for top in source.body for node in top.walk()]
    assert sum(isinstance(node, (ir.Call, ir.Op)) for node in found) == DEEP[name][1]


@pytest.mark.parametrize("text", ["-" * 200_000 + "a", "a" + ".b" * 200_000, "lambda:" * 50_000 + "a"])
def test_code_nested_too_deeply_is_unparsable(text):
    with pytest.raises(Unparsable, match="too"):
        parse(text)


PIECES = ["(", ")", "'", '"""', "#", "\\", "\n", "\t", "f'{", "}", "async ", "é", "\0", "\ud800", "\r", ":", "match a:"]


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_edits_of_valid_files_raise_nothing_but_unparsable(data):
    text = data.draw(st.sampled_from(OWN_FILES)).read_text("utf-8")
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 30))
        text = text[:start] + data.draw(st.sampled_from(PIECES) | st.text(max_size=3)) + text[end:]
    with suppress(Unparsable):
        source = parse(text)
        assert all(1 <= line <= len(source.lines) for line, _ in source.comments)


@pytest.mark.timing
def test_a_hundred_files_are_parsed_in_a_second():
    texts = [path.read_text("utf-8") for path in OWN_FILES]
    began = time.process_time()
    for text in texts:
        parse(text)
    lines = sum(text.count("\n") for text in texts)
    assert lines / 150 / (time.process_time() - began) >= 100
