"""Test comments that suppress findings."""

import json

import pytest
from lab.check.ir import Source
from lab.check.suppress import suppressions


def rules(lab, *arguments):
    """Rule and line of everything that is reported."""
    found = json.loads(lab(".", *arguments, "--format", "json")[1])["findings"]
    return [(finding["rule"], finding["line"]) for finding in found]


SUPPRESSED = [
    "socket EMIT // lab: ignore[RM021] an admin kick",
    "// lab: ignore[RM021] an admin kick\nsocket EMIT",
    "// lab:ignore[ rm021 , RM011 ]: an admin kick\nsocket EMIT STORE",
    "// lab: ignore[RM011] a test\n// lab: ignore[RM021] a test\nsocket EMIT STORE",
    "// lab: ignore[RM021] a test\n// another comment\nsocket EMIT",
    "/* lab: ignore[RM021] a test */\nsocket EMIT",
]


@pytest.mark.parametrize("text", SUPPRESSED)
def test_a_comment_with_a_reason_suppresses(lab, write, text):
    write(a_js=text)
    assert rules(lab) == []


NO_EFFECT = [
    ("socket EMIT // lab: ignore[RM021]", [("RM021", 1), ("RM000", 1)], "has no reason"),
    ("socket EMIT // lab: ignore[RM021] -- */", [("RM021", 1), ("RM000", 1)], "has no reason"),
    ("socket EMIT // lab: ignore later", [("RM021", 1), ("RM000", 1)], "names no rule"),
    ("socket EMIT // lab: ignore[] later", [("RM021", 1), ("RM000", 1)], "names no rule"),
    ("socket EMIT // lab: ignore[RM011] a test", [("RM021", 1), ("RM000", 1)], "suppresses no finding of RM011"),
    ("socket // lab: ignore[RM021] a test\nEMIT", [("RM000", 1), ("RM021", 2)], "suppresses no finding of RM021"),
    ("// lab: ignore[RM021] a test\n\nsocket EMIT", [("RM000", 1), ("RM021", 3)], "suppresses no finding of RM021"),
    ("socket EMIT // lab: ignore[RM999] a test", [("RM021", 1), ("RM000", 1)], "there is no rule RM999"),
    ("socket EMIT // lab: ignore[RM021,RM011] a test", [("RM000", 1)], "suppresses no finding of RM011"),
]


@pytest.mark.parametrize(("text", "reported", "message"), NO_EFFECT)
def test_a_suppression_without_effect_is_reported(lab, write, text, reported, message):
    write(a_js=text)
    assert sorted(rules(lab)) == sorted(reported)
    found = json.loads(lab(".", "--format", "json")[1])["findings"]
    [problem] = [finding for finding in found if finding["rule"] == "RM000"]
    assert message in problem["message"]
    assert (problem["level"], problem["mistake"], problem["lesson"]) == ("warning", "00", "")


def test_a_rule_that_is_not_asked_may_stay_suppressed(lab, write):
    write(a_js="socket EMIT // lab: ignore[RM021] a test\nASK // lab: ignore[RM081] a test\n")
    assert rules(lab, "--select", "RM000,RM011") == []
    assert rules(lab, "--no-accounts") == []


def test_reports_of_suppressions_can_be_ignored(lab, write):
    write(a_js="socket // lab: ignore[RM021] a test\n")
    assert rules(lab, "--ignore", "RM000") == []


def test_the_end_says_how_many_are_suppressed(lab, write):
    write(a_js="socket EMIT // lab: ignore[RM021] a test\nEMIT\n")
    out = lab(".")[1]
    assert "found: 1 error (RM021), 1 suppressed\n" in out
    assert out.endswith(": 1 error (1 suppressed)\n")


def test_the_lines_of_a_long_comment_are_counted():
    text = "a note\nlab: ignore[RM021] a test\nmore"
    source = Source("js", [], [(3, text)], ["", "", "/* a note", " * lab: ignore[RM021] a test", " * more */", "io()"])
    [found] = suppressions({"a.js": source})
    assert (found.line, found.lines, found.reason) == (4, frozenset({4, 6}), "a test")
