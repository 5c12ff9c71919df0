"""Test the sentences on costs, and the recorded numbers."""

import json
import re
from pathlib import Path

import pytest
from lab.check import cost, cost_document
from lab.check.mistakes import MISTAKES
from lab.check.own_rules import LOST_JOIN, SUPPRESSION, every_rule
from lab.compare.comparison import Comparison, Result
from lab.results.claims import load_claims
from lab.results.run import Run
from lab.results.verdict import Verdict

ROOT = Path(__file__).resolve().parents[4]
ROW = re.compile(r"^\| (\d\d) \|.*\| *(\S+) \| *(\S+) \| shown \|$", re.MULTILINE)


def recorded():
    return json.loads(cost.COSTS.read_bytes())["claims"]


def test_recorded_costs_are_those_of_the_readme():
    rows = {number: (bad, good) for number, bad, good in ROW.findall((ROOT / "README.md").read_text("utf-8"))}
    assert len(rows) == len(MISTAKES)
    assert {number: (claim["bad"], claim["good"]) for number, claim in recorded().items()} == rows


@pytest.mark.parametrize("number", [mistake.number for mistake in MISTAKES])
def test_each_mistake_quotes_both_sides(number, fake_rule):
    sentence = cost.cost_of(fake_rule(mistake=number))
    claim = recorded()[number]
    assert claim["bad"] in sentence
    assert claim["good"] in sentence
    assert sentence.startswith(f"Measured on two example servers (lab compare --only {number}): ")


@pytest.mark.parametrize("rule", sorted(cost.ALSO))
def test_a_rule_may_quote_a_secondary_number(rule, fake_rule):
    numbers = recorded()[MISTAKE_OF[rule]]["also"][cost.ALSO[rule]]
    sentence = cost.cost_of(fake_rule(id=rule, mistake=MISTAKE_OF[rule]))
    assert sentence.endswith(cost.TEMPLATES[rule].format(**numbers))


MISTAKE_OF = {"RM082": "08", "RM085": "08"}


@pytest.mark.parametrize("rule", sorted(cost.UNMEASURED))
def test_what_is_not_measured_gives_the_reason(rule, fake_rule):
    assert cost.cost_of(fake_rule(id=rule, why="It fails. Later, too.")) == "It fails."


def test_special_costs_are_those_of_rules():
    assert cost.UNMEASURED | cost.ALSO.keys() <= {rule.id for rule in every_rule()}


def test_a_rule_of_no_mistake_gives_its_reason():
    assert cost.cost_of(SUPPRESSION) == SUPPRESSION.why


@pytest.fixture
def fake_rule():
    """Return a function that changes a rule."""
    from dataclasses import replace

    return lambda **changes: replace(LOST_JOIN, **changes)


def test_every_rule_has_a_cost_in_one_sentence():
    for rule in every_rule():
        sentence = cost.cost_of(rule)
        assert sentence.endswith("."), rule.id
        assert "\n" not in sentence
        assert "{" not in sentence


def comparison(outcome, bad, good):
    """A comparison of one claim."""
    claim = load_claims()[1]
    runs = {
        side: [Run(value=value, also={"sent_into_the_void": 0.5})] for side, value in (("bad", bad), ("good", good))
    }
    return Comparison([Result(claim, runs, Verdict(outcome, None))], environment={}, seconds=1.0)


def test_a_comparison_replaces_the_costs_of_its_claims(tmp_path):
    file = tmp_path / "costs.json"
    file.write_text('{"schema": 1, "claims": {"01": {"bad": "1"}, "02": {"bad": "2"}}}')
    claims = json.loads(cost_document.document_of(comparison("shown", 1.25, 99), file))["claims"]
    assert claims["01"] == {"bad": "1"}
    assert (claims["02"]["bad"], claims["02"]["good"]) == ("1.25", "99")
    assert claims["02"]["also"]["sent_into_the_void"] == {"bad": "0.5", "good": "0.5"}


def test_a_claim_that_is_not_shown_keeps_its_costs(tmp_path):
    file = tmp_path / "costs.json"
    file.write_text('{"schema": 1, "claims": {"02": {"bad": "2"}}}')
    claims = json.loads(cost_document.document_of(comparison("not_shown", 50, 50), file))["claims"]
    assert claims == {"02": {"bad": "2"}}


def test_the_readme_option_writes_the_costs(tmp_path, monkeypatch):
    import lab.cli.compare as command
    from lab.__main__ import main

    costs = tmp_path / "notebooks" / "lab" / "check" / "costs.json"
    costs.parent.mkdir(parents=True)
    readme = tmp_path / "README.md"
    readme.write_text("<!-- lab compare: begin -->\n<!-- lab compare: end -->\n")
    measured = comparison("shown", 1.25, 99)
    monkeypatch.setattr(command, "_find_readme", lambda _options: readme)
    monkeypatch.setattr(command, "_run", lambda *_: measured)
    monkeypatch.setattr("lab.report.readme_table.environment_line", lambda _environment: "here")
    assert main(["compare", "--readme"]) == 0
    assert json.loads(costs.read_bytes())["claims"]["02"]["bad"] == "1.25"
    assert "| 1.25 | 99 | shown |" in readme.read_text()
