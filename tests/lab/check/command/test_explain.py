"""Test the pages and tables of rules, and where rules come from."""

import importlib
from pathlib import Path

import pytest
from lab.__main__ import main
from lab.check import rules
from lab.check.dialects import DIALECTS
from lab.check.explain import NAMES, markdown_table
from lab.check.mistakes import MISTAKES
from lab.check.own_rules import every_rule
from lab.cli.check import APIS
from lab.results.claims import load_claims

ROOT = Path(__file__).resolve().parents[4]
PAGE = """\
RM021 (error): emit to a socket id taken from a map

What it finds
    A line with EMIT.

Why it matters
    It fails. Later, too.
    {cost}

When it is no mistake
    A test.

Socket.IO on Node

Bad:
    EMIT; // <- RM021

Fix: Emit to the room.

    io.to(room).emit(event);
      // each connection joins it

Good:
    io.to(room);

Suppress one finding: a comment `lab: ignore[RM021] reason`, on its line or on the line above.
Lesson: lab learn 02 (its name is 02_emit_by_socket_id)
"""


def test_explain_prints_the_page_of_a_rule(lab):
    from lab.check.cost import cost_of

    rule = next(rule for rule in every_rule() if rule.id == "RM021")
    assert lab("--explain", "rm021") == (0, PAGE.format(cost=cost_of(rule)), "")


def sections(out):
    """The APIs that a page has a section for."""
    return [name for name in NAMES.values() if f"\n{name}\n" in out]


@pytest.mark.parametrize("api", DIALECTS)
def test_explain_shows_the_asked_api_only(capsys, api):
    assert main(["check", "--explain", "RM011", "--api", api]) == 0
    assert sections(capsys.readouterr().out) == [NAMES[api]]


def test_explain_shows_all_apis_when_none_is_asked(capsys):
    assert main(["check", "--explain", "RM011"]) == 0
    assert sections(capsys.readouterr().out) == list(NAMES.values())


def test_the_command_knows_the_apis_of_the_checker():
    assert APIS == DIALECTS


WRONG_APIS = [
    (
        ("--explain", "RM021", "--api", "flask"),
        "lab: --api: RM021 has no examples for flask; it has node, python-socketio\n",
    ),
    ((".", "--api", "node"), "lab: --api needs --explain RULE\n"),
    (("--list", "--api", "node"), "lab: --api needs --explain RULE\n"),
]


@pytest.mark.parametrize(("arguments", "errors"), WRONG_APIS)
def test_a_wrong_use_of_api_is_one_line(lab, arguments, errors):
    assert lab(*arguments) == (2, "", errors)


@pytest.mark.parametrize("name", ["RM000", "RM030"])
def test_rules_of_comments_and_changes_have_a_page(lab, name):
    code, out, _ = lab("--explain", name)
    assert (code, out.startswith(f"{name} (warning): ")) == (0, True)
    assert "Fix: " in out


def test_list_prints_a_table_of_all_rules(lab):
    code, out, _ = lab("--list")
    head, *rows = out.splitlines()
    assert (code, head.split()) == (0, ["id", "level", "mistake", "finds"])
    assert [row.split()[:3] for row in rows] == [[rule.id, rule.level, rule.mistake] for rule in every_rule()]
    assert len({row.index(rule.title) for row, rule in zip(rows, every_rule(), strict=True)}) == 1


@pytest.mark.usefixtures("fake_analysis")
def test_the_table_for_the_readme_is_markdown():
    lines = markdown_table(every_rule()).splitlines()
    assert lines[:2] == ["| rule | mistake | level | finds | lesson |", "|---|---|---|---|---|"]
    lesson = "[02_emit_by_socket_id](notebooks/02_emit_by_socket_id.ipynb)"
    assert f"| RM021 | 02 | error | emit to a socket id taken from a map | {lesson} |" in lines
    assert "| RM000 |  | warning | a suppression that has no effect |  |" in lines


def test_a_new_rule_is_one_new_file(tmp_path, monkeypatch):
    for name, rule in (("rm902", "RM902"), ("rm901", "RM901"), ("shared", "RM903")):
        (tmp_path / f"{name}.py").write_text(
            f"from types import SimpleNamespace\nRULE = SimpleNamespace(id={rule!r})\n"
        )
    monkeypatch.setattr(rules, "__path__", [str(tmp_path)])
    rules.all_rules.cache_clear()
    importlib.invalidate_caches()
    try:
        assert [rule.id for rule in rules.all_rules()] == ["RM901", "RM902"]
    finally:
        rules.all_rules.cache_clear()


def test_every_rule_names_one_of_the_ten_mistakes():
    numbers = {mistake.number for mistake in MISTAKES} | {"00"}
    assert {rule.mistake for rule in every_rule()} <= numbers
    assert len({rule.id for rule in every_rule()}) == len(every_rule())


def test_mistakes_have_the_numbers_and_lessons_of_the_claims():
    claims = [(claim.id, f"{claim.id}_{claim.slug.replace('-', '_')}") for claim in load_claims()]
    assert [(mistake.number, mistake.lesson) for mistake in MISTAKES] == claims
    for mistake in MISTAKES:
        assert (ROOT / "notebooks" / f"{mistake.lesson}.ipynb").exists()
