"""Test the report for a person."""

import re

import pytest
from lab.check.report_text import printable

pytestmark = pytest.mark.usefixtures("fake_analysis")


def block(out):
    """The lines of the first finding."""
    return out.split("\n\n")[0].splitlines()


def test_a_block_begins_with_the_line_and_a_caret(lab, write):
    write(a_js="let a\n    socket.EMIT(ids[a])\n")
    head, source, caret, *_ = block(lab(".")[1])
    assert head == "a.js:2:12 RM021 error  emit to a socket id taken from a map"
    assert source == "  2 | socket.EMIT(ids[a])"
    assert caret == "    |        ^"
    assert source[caret.index("^") :].startswith("EMIT")


def test_a_block_has_reason_cost_fix_and_what_to_run(lab, write):
    write(a_js="socket.EMIT(ids[a])\n")
    message, why, cost, _, *rest = block(lab(".")[1])[3:]
    assert (message, why) == ("  `EMIT` is here", "  why: It fails.")
    assert cost.startswith("  cost: Measured on two example servers (lab compare --only 02): ")
    assert rest == [
        "  fix: Emit to the room.",
        "      io.to(room).emit(event);",
        "        // each connection joins it",
        "  more: lab check --explain RM021 --api node (examples, and when it is no mistake)",
        "  lesson: lab learn 02",
    ]


def test_the_fix_is_in_the_api_of_the_file(lab, write):
    write(a_py="socket EMIT\n")
    lines = block(lab(".")[1])
    assert "      await sio.emit(event, to=room)" in lines
    assert any("--explain RM021 --api python-socketio " in line for line in lines)


def test_a_block_names_the_function_of_its_line(lab, write):
    write(a_js="socket\nfunction send() {\n  EMIT\n}\n")
    assert "  in send: `EMIT` is here" in block(lab(".")[1])


def test_what_is_not_measured_has_its_reason_once(lab, write):
    write(a_js="socket // lab: ignore[RM021]\n")
    out = lab(".")[1]
    assert "  why: A reader believes " in out
    assert "  cost: " not in out


def test_every_command_of_a_block_is_accepted(lab, write):
    from lab.__main__ import _parser

    write(a_js="socket EMIT\n", b_py="STORE ASK\n")
    out = lab(".")[1]
    commands = re.findall(r"lab ((?:check --explain|compare --only|learn) [^()\n]*\w)", out)
    assert len(commands) >= 9
    for command in commands:
        _parser().parse_args(command.split())


@pytest.mark.parametrize("before", ["", "\t", "/* 房间 */ ", "x" * 500, "é\t房"])
def test_the_caret_is_below_the_column(lab, write, before):
    from rich.cells import cell_len

    write(a_js=f"{before}EMIT socket {'y' * 500}\n")
    _, source, caret, *_ = block(lab(".")[1])
    place = cell_len(caret) - 1
    wide = source[: source.index("EMIT")]
    assert cell_len(wide) == place
    assert len(source) < 130


def test_code_cannot_control_the_terminal(lab, write):
    write(a_js="EMIT socket \x1b[2J\x07\u202e\n")
    _, source, *_ = block(lab(".")[1])
    assert source == "  1 | EMIT socket ?[2J??"
    assert printable("a\udc80\n") == "a??"


def test_errors_come_before_warnings_and_questions(lab, write):
    # a suppression without a reason is a warning
    write(a_js="ASK socket // lab: ignore[RM021]\n", b_js="EMIT\n// lab: ignore[RM021]\n", c_js="STORE\n")
    heads = [line.split()[:3] for line in lab(".")[1].splitlines() if re.match(r"\w+\.js:\d", line)]
    assert [level for _, _, level in heads] == ["error", "error", "warning", "warning", "question"]
    assert [place for place, *_ in heads] == ["b.js:1:1", "c.js:1:1", "a.js:1:1", "b.js:2:1", "a.js:1:1"]


def test_findings_of_a_level_are_in_the_order_of_the_files(lab, write):
    write(b_js="STORE socket\n", a_js="EMIT socket STORE\nSTORE\n")
    heads = [line.split()[:2] for line in lab(".")[1].splitlines() if " error  " in line]
    assert heads == [["a.js:1:1", "RM021"], ["a.js:1:13", "RM011"], ["a.js:2:1", "RM011"], ["b.js:1:1", "RM011"]]


def summary(out):
    """The lines at the end, by the number of the mistake."""
    return {line[:2]: line[29:] for line in out.splitlines() if line[:2].isdigit() and line[2] == " "}


def test_each_of_the_ten_mistakes_has_a_line_at_the_end(lab, write):
    write(a_js="EMIT socket\nEMIT\nSTORE\n")
    lines = summary(lab(".")[1])
    assert list(lines) == [f"{number:02}" for number in range(1, 11)]
    assert lines["01"] == "found: 1 error (RM011)"
    assert lines["02"] == "found: 2 errors (RM021)"
    assert lines["08"] == "not found"
    assert lines["06"] == "not asked"


@pytest.mark.parametrize("number", ["07", "09"])
def test_what_cannot_be_seen_names_what_to_run(lab, write, monkeypatch, number):
    from dataclasses import replace

    from lab.check.own_rules import every_rule

    rules = tuple(replace(rule, mistake=number) for rule in every_rule() if rule.id == "RM022")
    monkeypatch.setattr("lab.check.own_rules.all_rules", lambda: rules)
    write(a_js="socket\n")
    wanted = f"cannot be seen in the code alone; lab compare --only {number} measures it on this kit's servers"
    assert summary(lab(".")[1])[number] == wanted


def test_the_end_says_where_to_begin(lab, write):
    write(a_js="ASK socket\n", b_js="EMIT\n")
    assert "\n\nbegin with the first error above: RM021 at b.js:1\n\n" in lab(".")[1]


def test_the_end_names_no_place_when_nothing_is_found(lab, write):
    write(a_js="socket\n")
    assert "begin with" not in lab(".")[1]


def test_a_rule_without_a_lesson_names_its_page_only(lab, write):
    write(a_js="socket // lab: ignore[RM021]\n")
    out = lab(".")[1]
    assert "  more: lab check --explain RM000 --api node " in out
    assert "lesson" not in out


def test_the_last_line_counts_files_and_findings(lab, write):
    write(a_js="EMIT socket ASK\n", b_js="\n")
    last = lab(".")[1].splitlines()[-1]
    assert last.startswith("2 files checked in ")
    assert last.endswith(" s: 1 error, 1 question")
