"""Tests that each rule fires at the marked lines only."""

import importlib
import pkgutil
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from lab.check import rules
from lab.check.facts import Facts
from tree_sitter import Language, Parser
from tree_sitter_javascript import language as javascript
from tree_sitter_typescript import language_typescript as typescript

RULES = [
    importlib.import_module(f"lab.check.rules.{module.name}").RULE
    for module in pkgutil.iter_modules(rules.__path__)
    if re.fullmatch(r"rm\d{3}", module.name)
]
SUFFIX = {"node": ".js", "nest": ".ts", "python-socketio": ".py", "flask": ".py"}
PAGES = [pytest.param(rule, dialect, id=f"{rule.id}-{dialect}") for rule in RULES for dialect in rule.snippets]
PLAIN = sorted(path for path in (Path(__file__).parent / "data" / "plain").iterdir() if path.suffix in {".js", ".py"})
# the mark is a comment at the end of a line; it may name several rules
MARK = re.compile(r"(?:#|//) <- (RM\d{3}(?: RM\d{3})*)$")
MOST_LINES = 40
NODE = shutil.which("node")


def marks(text):
    """Return the rule and line of each mark, sorted."""
    lines = enumerate(text.splitlines(), 1)
    return sorted((rule, number) for number, line in lines if (found := MARK.search(line)) for rule in found[1].split())


def hits(folder):
    """Return the rule and line of each hit in a folder, sorted."""
    facts = Facts.of([folder])
    return sorted((rule.id, hit.node.line) for rule in RULES for hit in rule.find(facts))


def hits_in(tmp_path, text, suffix):
    """Return the hits in a project of one file, without its marks."""
    plain = "\n".join(re.sub(MARK, "", line).rstrip() for line in text.splitlines())
    (tmp_path / f"server{suffix}").write_text(plain + "\n", "utf-8")
    return hits(tmp_path)


@pytest.mark.parametrize(("rule", "dialect"), PAGES)
def test_a_bad_snippet_fires_at_its_marks(tmp_path, rule, dialect):
    bad = rule.snippets[dialect].bad
    assert hits_in(tmp_path, bad, SUFFIX[dialect]) == marks(bad)


@pytest.mark.parametrize(("rule", "dialect"), PAGES)
def test_a_good_snippet_fires_nothing(tmp_path, rule, dialect):
    assert hits_in(tmp_path, rule.snippets[dialect].good, SUFFIX[dialect]) == []


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: path.name)
def test_a_plain_server_fires_at_its_marks(tmp_path, path):
    text = path.read_text("utf-8")
    assert hits_in(tmp_path, text, path.suffix) == marks(text)


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: path.name)
def test_a_plain_server_marks_its_own_mistake(path):
    own = {rule.id for rule in RULES if rule.mistake == path.name[:2]}
    assert own & {rule for rule, _ in marks(path.read_text("utf-8"))}


def test_each_mistake_has_both_plain_servers():
    assert {path.name[:2] + path.suffix for path in PLAIN} == {
        f"{n:02}{s}" for n in range(1, 11) for s in (".js", ".py")
    }


@pytest.mark.parametrize(("rule", "dialect"), PAGES)
def test_only_bad_snippets_have_marks(rule, dialect):
    snippet = rule.snippets[dialect]
    assert rule.id in {marked for marked, _ in marks(snippet.bad)}
    assert "<-" not in snippet.good


@pytest.mark.parametrize(("rule", "dialect"), PAGES)
def test_a_snippet_is_a_valid_short_file(rule, dialect):
    for text in (rule.snippets[dialect].bad, rule.snippets[dialect].good):
        assert len(text.splitlines()) <= MOST_LINES
        assert is_valid(text, SUFFIX[dialect])


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: path.name)
def test_a_plain_server_is_a_valid_program(path):
    assert is_valid(path.read_text("utf-8"), path.suffix)


@pytest.mark.slow
@pytest.mark.skipif(NODE is None, reason="Node.js is not installed")
@pytest.mark.parametrize("path", [path for path in PLAIN if path.suffix == ".js"], ids=lambda path: path.name)
def test_node_accepts_a_plain_server(path):
    assert subprocess.run([NODE, "--check", path], capture_output=True, timeout=30).returncode == 0


def is_valid(text, suffix):
    """Return whether a file has no syntax error."""
    if suffix == ".py":
        return bool(compile(text, "server.py", "exec"))
    language = Language(javascript() if suffix == ".js" else typescript())
    return not Parser(language).parse(text.encode()).root_node.has_error


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_page_is_complete(rule):
    assert rule.mistake in {rule.id[2:4], "10"}
    sentences = (text.splitlines()[0] for text in rule.fix.values())
    assert all(text.endswith(".") for text in (rule.what, rule.why, rule.exceptions, *sentences))
    assert rule.fix.keys() == rule.snippets.keys() != set()
    assert not rule.title.endswith(".")


def test_every_security_rule_has_a_severity():
    secured = {rule.id for rule in RULES if rule.severity}
    assert secured == {rule.id for rule in RULES if rule.mistake == "08"} | {"RM103"}


def test_rules_of_the_table_exist():
    table = "011 012 013 014 015 021 022 023 024 031 032 033 041 051 052 061 071 081 082 083 084 085 091 101 103 104"
    assert [rule.id for rule in RULES] == [f"RM{number}" for number in table.split()]
