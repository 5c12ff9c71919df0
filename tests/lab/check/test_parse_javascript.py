"""The conversion of JavaScript and TypeScript to the common tree."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lab.check import ir
from lab.check.parse import javascript
from lab.check.parse.javascript import parse
from lab.check.parse.unparsable import Unparsable

DIALECTS = ("js", "jsx", "ts", "tsx")


def show(value):
    """A node as short text, without its empty fields."""
    if isinstance(value, ir.Name):
        return value.name
    if isinstance(value, ir.Const):
        return repr(value.value)
    if isinstance(value, ir.Node):
        fields = [getattr(value, name) for name in value.__slots__]
        return (
            f"{type(value).__name__}({', '.join(show(part) for part in fields if part not in ('', None, False, []))})"
        )
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(show(part) for part in value)}]" if isinstance(value, list) else ":".join(map(show, value))
    return value if isinstance(value, str) else repr(value)


def shown(text, dialect="js"):
    """The statements of a file, one a line."""
    source = parse(text, dialect)
    assert not source.broken, text
    return "\n".join(show(node) for node in source.body)


def nodes(source):
    """All nodes of a file."""
    return [node for statement in source.body for node in statement.walk()]


def first(text, kind, dialect="js"):
    """The first node of a type."""
    return next(node for node in nodes(parse(text, dialect)) if isinstance(node, kind))


EXPRESSIONS = [
    ("io.to(room).emit('x', a)", "Call(Member(Call(Member(io, to), [room]), emit), ['x', a])"),
    ("a?.b?.(c)?.[d]", "Index(Call(Member(a, b), [c]), d)"),
    ("new Map([[a, 1]])", "Call(Map, [Sequence([Sequence([a, 1])])], True)"),
    ("new Foo", "Call(Foo, True)"),
    ("f(...a, [...b])", "Call(f, [Spread(a), Sequence([Spread(b)])])"),
    ("`a`", "'a'"),
    ("`user:${id}:x`", "Text(['user:', id, ':x'])"),
    ("`${`a${b}`}c`", "Text(['a', b, 'c'])"),
    ("'user:' + id + ':' + n", "Text(['user:', id, ':', n])"),
    ("'a' + 'b'", "'ab'"),
    ("a + (`b${c}` + d)", "Text([a, 'b', c, d])"),
    ("a + b - c", "Op(-, [Op(+, [a, b]), c])"),
    ("a && b && c || d", "Op(||, [Op(&&, [a, b, c]), d])"),
    ("a === b", "Op(==, [a, b])"),
    ("a !== b", "Op(!=, [a, b])"),
    ("a ? b : c", "Op(?:, [a, b, c])"),
    ("!a; typeof b; -1", "Op(!, [a])\nOp(typeof, [b])\n-1"),
    ("delete a.b", "Delete(Member(a, b))"),
    ("a, b", "a\nb"),
    ("x = (a, b)", "Assign(x, Op(,, [a, b]), =)"),
    ("a += 1; b++", "Assign(a, 1, +=)\nAssign(b, 1, ++)"),
    ("undefined; null; true; 0x1f; 1_000; 1.5; 10n", "None\nNone\nTrue\n31\n1000\n1.5\n10"),
    (r"'\u00e9\x41\n\'\u{1F600}'", repr("éA\n'\U0001f600")),
    (r"'\ud83d\ude00'", repr("\U0001f600")),
    ("tag`x${y}`", "Call(tag, [Text(['x', y])])"),
    ("/a/g", "Call(RegExp, ['/a/g'], True)"),
    ("this.io; super.x()", "Member(This(), io)\nCall(Member(super, x))"),
    ("global.f(a); globalThis.f?.(a)", "Call(f, [a])\nCall(f, [a])"),
    ("global.a.b(); new global.A(b); global.tag`x`", "Call(Member(a, b))\nCall(A, [b], True)\nCall(tag, ['x'])"),
    ("global['a'](b); global.a = b", "Call(Index(global, 'a'), [b])\nAssign(a, b, =)"),
    ("import.meta.url", "Member(Member(import, meta), url)"),
    ("async () => await x", "Func([Return(Await(x))], True)"),
    ("function* f() { yield a; yield }", "Func(f, [Await(a), Await(None)], True)"),
]


@pytest.mark.parametrize(("text", "tree"), EXPRESSIONS)
def test_an_expression(text, tree):
    assert shown(text) == tree


PATTERNS = [
    ("x = {a, b: 1, 'c': 2, [d]: 3, e() {}, ...f}",
     "Assign(x, Record(['a':a, 'b':1, 'c':2, d:3, 'e':Func(e, True), None:f]), =)"),
    ("const {a: {b = 1}, c = 2, ...r} = q",
     "Assign(Record(['a':Record(['b':b]), 'c':c, None:r]), q, =, const)"),
    ("let [x, , ...y] = z, w", "Assign(Sequence([x, None, Spread(y)]), z, =, let)\nAssign(w, None, =, let)"),
    ("({a: b.c, d = 1} = e)", "Assign(Record(['a':Member(b, c), 'd':d]), e, =)"),
    ("f((a, {b}, [c] = [], ...d) => e)",
     "Call(f, [Func([Param(a), Param(Record(['b':b])), Param(Sequence([c]), Sequence()), Param(d, True)], "
     "[Return(e)])])"),
    ("x => { y }", "Func([Param(x)], [y])"),
    ("async function f(a = 1) { return }", "Func(f, [Param(a, 1)], [Return()], True, True)"),
    ("const f = function () {}", "Assign(f, Func(), =, const)"),
]  # fmt: skip
STATEMENTS = [
    ("if (a) b; else if (c) { d } else e", "If(a, [b], [If(c, [d], [e])])"),
    ("for (const [a, b] of c) d()", "Loop(of, Sequence([a, b]), c, [Call(d)])"),
    ("for await (x of y);", "Loop(of, x, y)"),
    ("for (a in b) { c }", "Loop(in, a, b, [c])"),
    ("for (let i = 0; i < 3; i++) a", "Loop(for, Op(<, [i, 3]), [Assign(i, 0, =, let), a, Assign(i, 1, ++)])"),
    ("for (;;) break", "Loop(for, None, [Block(break)])"),
    ("do x; while (y)", "Loop(while, y, [x])"),
    ("a: while (b) continue a", "Loop(while, b, [Block(continue)])"),
    ("try { a } catch ({m}) { b } finally { c }", "Try([a], [Assign(Record(['m':m]), None, =, let), b], [c])"),
    ("try { a } catch { b }", "Try([a], [b])"),
    ("throw new E()", "Throw(Call(E, True))"),
    ("switch (a) { case 1: case 2: b(); break; case 3: c(); default: d() }",
     "If(Op(||, [Op(==, [a, 1]), Op(==, [a, 2])]), [Call(b)], [If(Op(==, [a, 3]), [Call(c)], [Call(d)])])"),
    ("switch (a()) { case 1: b; break; case 2: c }",
     "If(Op(==, [Call(a), 1]), [b], [If(Op(==, [Block(), 2]), [c])])"),
    ("switch (a()) { default: b }", "Call(a)\nb"),
    ("<A b={c} {...d} e='f'><>{g}</>text<H.I/></A>", "Block([c, Spread(d), g])"),
    ("<A onClick={() => emit(x)}/>", "Block([Func([Return(Call(emit, [x]))])])"),
]  # fmt: skip
MODULES = [
    ("import a, {b as c, d} from 's'", "Import(s, [default:a, b:c, d:d])"),
    ("import * as ns from 'x'; import './side'", "Import(x, [*:ns])\nImport(./side)"),
    ("const io = require('y')", "Import(y, [default:io])"),
    ("const {a, b: c} = require('y')", "Import(y, [a:a, b:c])"),
    ("const {a} = await import('y')", "Import(y, [a:a])"),
    ("const io = require('y')(z)", "Assign(io, Call(Call(require, ['y']), [z]), =, const)"),
    ("const S = require('y').S", "Assign(S, Member(Call(require, ['y']), S), =, const)"),
    ("io = require('y')", "Assign(io, Call(require, ['y']), =)"),
    ("export const a = 1, {b} = c",
     "Assign(a, 1, =, const)\nAssign(Record(['b':b]), c, =, const)\nExport(a, a)\nExport(b, b)"),
    ("export function f() {}", "Func(f, True)\nExport(f, f)"),
    ("export default function f() {}", "Func(f, True)\nExport(default, f)"),
    ("export default () => a", "Export(default, Func([Return(a)]))"),
    ("export default {a}", "Export(default, Record(['a':a]))"),
    ("export { x as 'a', y as default }", "Export(a, x)\nExport(default, y)"),
    ("export {a as b, c}", "Export(b, a)\nExport(c, c)"),
    ("export {a as b} from 'x'", "Import(x, [a:b])\nExport(b, b)"),
    ("export * from 'x'; export * as n from 'y'", "Export(*, 'x')\nImport(y, [*:n])\nExport(n, n)"),
    ("module.exports = f", "Export(default, f)"),
    ("module.exports = {a, b: c, ...d}", "Export(a, a)\nExport(b, c)\nExport(default, Record(['a':a, 'b':c, None:d]))"),
    ("module.exports = {f() {}}",
     "Export(f, Func(f, True))\nExport(default, Record(['f':Member(Member(module, exports), f)]))"),
    ("exports = module.exports = f; module.exports = exports = g", "Export(default, f)\nExport(default, g)"),
    ("exports.a = b; module.exports.c = d", "Export(a, b)\nExport(c, d)"),
]  # fmt: skip
CLASSES = [
    ("class K { set a(b) {} static c() {} [d + e]() {} 'f'() {} }",
     "Class(K, [Func(a, [Param(b)], [Member(a, setter)], True), Func(c, [staticmethod], True), Op(+, [d, e]), "
     "Func(True), Func(f, True)], class)"),
    ("class K extends L { static #p = 1; async m(a) {} get g() {} static { x() } }",
     "Class(K, [L], [Field(#p, 1), Func(m, [Param(a)], True, True), Func(g, [property], True), "
     "Block([Call(x)])], class)"),
]  # fmt: skip
TYPESCRIPT = [
    ("@Gate({a: 1}) export class G<T> extends B<T> implements A, C.D {}",
     "Class(G, [B, A, Member(C, D)], [Call(Gate, [Record(['a':1])])], class)\nExport(G, G)"),
    ("class G { @Server() private io!: Server; x = 1 }",
     "Class(G, [Field(io, Server, [Call(Server)]), Field(x, 1)], class)"),
    ("class G { constructor(private readonly io: Server, @Inject(X) y?: Y) {} }",
     "Class(G, [Field(io, Server), "
     "Func(constructor, [Param(io, Server), Param(y, Y, [Call(Inject, [X])])], True)], class)"),
    ("class G { @Sub('x') @Use(Y) async on(@Body() d: D, ...r: string[]): Promise<void> {} }",
     "Class(G, [Func(on, [Param(d, D, [Call(Body)]), Param(r, string[], True)], True, "
     "[Call(Sub, ['x']), Call(Use, [Y])], Promise<void>, True)], class)"),
    ("class G { f(a: A): void; f(a) {} abstract q(): void }",
     "Class(G, [Func(f, [Param(a)], True), Func(q, void, True)], class)"),
    ("interface I extends J { a: string; b?(x: number): void; [k: string]: any }",
     "Class(I, [J], [Field(a, string), Field(b, (x: number): void)], interface)"),
    ("type T = {a: 1} & Q; type U = string", "Class(T, [Q], [Field(a, 1)], interface)"),
    ("enum E { A, B = 2, 'c' }", "Class(E, [Field(A), Field(B, 2), Field(c)], interface)"),
    ("let a: Map<string,\n  Set<B>> = (<C>b)!.c as D", "Assign(a, Member(b, c), =, let, Map<string, Set<B>>)"),
    ("f<T>(a satisfies B)", "Call(f, [a])"),
    ("import f = require('u'); export = q", "Import(u, [default:f])\nExport(default, q)"),
    ("import type {A} from 'a'; import B = C.D", "Import(a, [A:A])\nAssign(B, Member(C, D), =, const)"),
    ("namespace N { const x = 1 }", "Block([Assign(x, 1, =, const)])"),
    ("export function f(a: A): void; export function f(a) {}", "Func(f, [Param(a)], True)\nExport(f, f)"),
    ("function f(this: A, b: B) {}", "Func(f, [Param(b, B)], True)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "tree"), [*PATTERNS, *STATEMENTS, *MODULES, *CLASSES])
def test_a_statement(text, tree):
    assert shown(text) == tree


@pytest.mark.parametrize(("text", "tree"), TYPESCRIPT)
def test_typescript(text, tree):
    assert shown(text, "ts") == tree


@pytest.mark.parametrize(("text", "tree"), [*EXPRESSIONS, *PATTERNS, *STATEMENTS, *MODULES, *CLASSES])
def test_both_grammars_give_the_same_tree(text, tree):
    assert shown(text, "tsx") == tree


def test_a_chained_call_is_placed_at_its_own_name():
    source = parse("await io\n  .to(x)\n  .emit(y);\nf(1)\n", "js")
    places = [(node.line, node.column, node.end_line) for node in nodes(source) if isinstance(node, ir.Call)]
    assert places == [(3, 4, 3), (2, 4, 2), (4, 1, 4)]


def test_places_count_characters_not_bytes():
    found = first("const é = '→ 🎉'; io.emit(`größe`)\n", ir.Call)
    assert (found.line, found.column) == (1, 21)
    assert show(found) == "Call(Member(io, emit), ['größe'])"


def test_a_block_ends_at_its_last_line():
    found = first("\nio.on('x', () => {\n  a\n})\n", ir.Func)
    assert (found.line, found.column, found.end_line) == (2, 12, 4)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_node_has_a_place_and_a_parent(dialect):
    texts = [text for text, _ in [*EXPRESSIONS, *PATTERNS, *STATEMENTS, *MODULES, *CLASSES] if "<A" not in text]
    source = parse("\n".join(f"{{ {text}\n}}" if "port " not in text else text for text in texts), dialect)
    for statement in source.body:
        assert statement.parent is None
        for node in statement.walk():
            assert 1 <= node.line <= node.end_line <= len(source.lines), node
            assert 1 <= node.column <= len(source.lines[node.line - 1]) + 1, node
            assert all(child.parent is node for child in node.children())


def test_no_node_is_in_two_places():
    texts = "\n".join(text for text, _ in [*EXPRESSIONS, *STATEMENTS, *MODULES])
    found = nodes(parse(texts, "js"))
    assert len({id(node) for node in found}) == len(found)


def test_comments_are_listed_without_their_marks():
    source = parse("// a\nf(/* b */ x) // lab: ignore[RM021] c\n/**\n * d\n */\n'// no'", "ts")
    assert source.comments == [(1, "a"), (2, "b"), (2, "lab: ignore[RM021] c"), (3, "*\n * d")]


def test_a_comment_between_parts_changes_nothing():
    text = (
        "if (/* 1 */ a) // 2\n  b /* 3 */ (c) // 4\nelse /* 5 */ d\nio // 6\n  .to(/* 7 */) + /* 8 */ x\ny = /* 9 */ z"
    )
    assert shown(text) == "If(a, [Call(b, [c])], [d])\nOp(+, [Call(Member(io, to)), x])\nAssign(y, z, =)"


def test_lines_have_no_ends():
    assert parse("a\r\nb\n\nc", "js").lines == ["a", "b", "", "c"]
    assert parse("", "js").lines == []


def test_a_syntax_error_keeps_the_rest():
    source = parse("f(1)\nconst = ;\nclass { on( }\ng(2)\n", "ts")
    assert source.broken
    assert {"f", "g"} <= {node.func.name for node in nodes(source) if isinstance(node, ir.Call)}


DEEP = {
    "calls": "f(" * 5000 + ")" * 5000,
    "chain": "a" + ".b()" * 5000,
    "index": "a" + "[0]" * 5000,
    "functions": "f(function () {" * 5000 + "})" * 5000,
    "defaults": "function f(a=" * 5000 + "1" + "){}" * 5000,
    "switches": "switch(a){case 1:" * 5000 + "}" * 5000,
    "classes": "class A{m(){" * 5000 + "}}" * 5000,
    "records": "x={a:" * 5000 + "}" * 5000,
    "elements": "x=" + "<a>{" * 5000 + "}</a>" * 5000,
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP.keys())
@pytest.mark.parametrize("dialect", ["js", "tsx"])
def test_deep_nesting_never_raises(text, dialect):
    source = parse(text, dialect)
    assert source.broken
    assert len(nodes(source)) < 2000


@pytest.mark.parametrize("operator", ["+", "&&", "||", ",", "+ 'x' +"])
def test_a_long_chain_is_one_node(operator):
    source = parse("x = (" + operator.join(["a"] * 5000) + ")", "ts")
    assert not source.broken
    assert sum(isinstance(node, ir.Name) for node in nodes(source)) == 5001


def test_a_long_switch_and_else_if_are_kept():
    text = "".join(f"if (a == {n}) f()\nelse " for n in range(500)) + "f()\n"
    text += "switch (a) {" + "".join(f"case {n}: f()\n" for n in range(500)) + "}"
    source = parse(text, "js")
    assert not source.broken
    assert sum(isinstance(node, ir.Call) for node in nodes(source)) == 1001


VALID = """\
import { Server } from "socket.io";
const { a, b: [c = 1] } = require("./x");
@Gateway({ cors: "*" })
export class Chat<T> extends Base implements OnInit {
  @Server() server!: Server;
  constructor(private readonly users: Map<string, Set<string>>) { super(); }
  async on(@Body() { room, ...rest }: Data, socket?: Socket): Promise<void> {
    for (const id of this.users.get(room) ?? []) await this.server.to(`user:${id}`).emit("x" + id, rest);
    switch (room) { case "a": case "b": return; default: throw new Error(/a+/.source); }
  }
}
try { io.on("connection", (s) => s.join(s.data.id)); } catch (e) { delete a[c]; } finally { b++; }
module.exports = { Chat, f() {}, ...rest };
"""


@st.composite
def edited(draw):
    """The valid file with a few parts cut out, doubled or replaced."""
    text = VALID
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 60)))
        put = draw(
            st.one_of(st.text(max_size=4), st.sampled_from(["{", "}", "(", "`${", "'", "/*", "@", "<", "=>", "\\u{"]))
        )
        text = text[:start] + put + (text[start:end] * draw(st.integers(0, 2))) + text[end:]
    return text


@given(edited(), st.sampled_from(DIALECTS))
@example("'\\u{99999999999}'", "js")
@example("\ud800 = '\ud800'", "ts")
@example("\ufeff\u2028f()\x00", "js")
def test_random_edits_never_raise(text, dialect):
    with pytest.MonkeyPatch.context() as patch:
        # on some broken texts, tree-sitter does not end
        patch.setattr(javascript, "LONGEST_SECONDS", 0.2)
        try:
            source = parse(text, dialect)
        except Unparsable:
            return
    for node in nodes(source):
        assert 1 <= node.line <= node.end_line <= text.count("\n") + 1


def test_walks_know_every_field_that_holds_nodes():
    holders = {kind.__name__: set(kind.holders) for kind in ir.Node.__subclasses__()}
    assert holders["Name"] == set()
    assert holders["Call"] == {"func", "args", "keywords"}
    assert holders["Func"] == {"params", "body", "decorators"}
    assert holders["Param"] == {"target", "default", "decorators"}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("target", "items"),
    [
        ("[a]", "[a]"),
        ("[, a]", "[None, a]"),
        ("[, , a]", "[None, None, a]"),
        ("[a, , b]", "[a, None, b]"),
        ("[a, /* no b */, c]", "[a, None, c]"),
        ("[a, ]", "[a]"),
        ("[[, a], b]", "[Sequence([None, a]), b]"),
    ],
)
def test_a_variable_keeps_its_position_in_a_pattern(target, items, dialect):
    assert f"Sequence({items})" in shown(f"const {target} = value;", dialect)
