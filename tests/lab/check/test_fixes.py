"""Test that each fix is short prose and valid code."""

import textwrap

import pytest
from lab.check.cost import first_sentence
from lab.check.rules import all_rules
from tree_sitter import Language, Parser
from tree_sitter_javascript import language as javascript
from tree_sitter_typescript import language_typescript as typescript

FIXES = [pytest.param(rule, api, id=f"{rule.id}-{api}") for rule in all_rules() for api in rule.fix]
LONGEST_PROSE = 260
LONGEST_CODE = 110
# two of them only where nothing sets the user
MOST_LINES = 4
LONGEST_REASON = 170
# a line of a fix stands in a function, in a class, or above a class
PLACES = ("async function f() {{\n{}\n}}", "class A {{\n{}\n}}", "{}\nclass A {{}}")


def code_of(rule, api):
    """The lines of code of a fix."""
    return rule.fix[api].split("\n")[1:]


@pytest.mark.parametrize(("rule", "api"), FIXES)
def test_a_fix_has_a_few_lines_of_code(rule, api):
    prose, *code = rule.fix[api].split("\n")
    assert len(prose) <= LONGEST_PROSE
    assert 1 <= len(code) <= MOST_LINES
    assert all(len(line) <= LONGEST_CODE for line in code)


@pytest.mark.parametrize(("rule", "api"), FIXES)
def test_the_code_of_a_fix_is_valid(rule, api):
    code = code_of(rule, api)
    if api in ("node", "nest"):
        assert is_javascript(code, javascript() if api == "node" else typescript())
    else:
        for line in code:
            compile(f"async def f():\n{textwrap.indent(line, '    ')}\n", "fix.py", "exec")


def is_javascript(code, grammar):
    """Return whether code is valid in one of the places.

    The lines may be valid together, or each one alone.
    """
    parser = Parser(Language(grammar))

    def is_valid(text):
        return any(not parser.parse(place.format(text).encode()).root_node.has_error for place in PLACES)

    return is_valid("\n".join(code)) or all(is_valid(line) for line in code)


def test_broken_code_would_be_found():
    assert not is_javascript(["io.to(`user:${id}`.emit(data);"], javascript())


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.id)
def test_the_reason_begins_with_one_short_sentence(rule):
    assert len(first_sentence(rule.why)) <= LONGEST_REASON
